"""Effects of N and of V: seen where they are, and in 5 % of data sets where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, linregress

from paretoken.analysis.cells import Cells
from paretoken.analysis.effects import effects
from paretoken.analysis.estimate import estimate
from paretoken.analysis.losses import make_loss
from paretoken.registry import LAWS

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0, 14.0), (1.0, 4.0, 16.0, 64.0, 256.0)
GRID = [axis.ravel() for axis in np.meshgrid(SIZES, TOKENS, indexing="ij")]


def found(Y: np.ndarray, between: bool = False, weight: np.ndarray | None = None):
    cells = Cells(*GRID, Y, np.ones(len(Y)) if weight is None else weight)
    return effects(estimate(cells, LAWS.load("log_linear"), make_loss("squared")), between)


def noise(seed: int, own: float = 0.01, effect: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng([seed, 5])
    models = generator.normal(size=len(SIZES))[np.searchsorted(SIZES, GRID[0])]
    return own * generator.normal(size=len(GRID[0])) + effect * models


def count(scale: str, mean: np.ndarray, between: bool, data_sets: int = 200, effect: float = 0.0) -> int:
    """In how many data sets the error is said to change along a scale."""
    tested = (found(mean + noise(seed, effect=effect), between)[scale] for seed in range(data_sets))
    return sum(item.falls or item.rises for item in tested)


@pytest.mark.parametrize("scale", ["N", "V"])
@pytest.mark.parametrize("between", [False, True])
def test_no_effect_is_seen_in_noise_but_for_five_percent(scale: str, between: bool) -> None:
    seen = count(scale, np.full(25, 0.5), between)
    assert binom.ppf(1e-3, 200, 0.05) <= seen <= binom.ppf(1 - 1e-3, 200, 0.05)


def test_noise_of_language_models_is_not_an_effect_of_n() -> None:
    seen = count("N", 0.5 - 0.03 * np.log(GRID[1]), True, effect=0.05)
    assert seen <= binom.ppf(1 - 1e-3, 200, 0.05)


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize(("scale", "column"), [("N", 0), ("V", 1)])
def test_an_effect_is_seen(scale: str, column: int, between: bool) -> None:
    mean = 0.6 - 0.02 * np.log(GRID[column])
    assert count(scale, mean, between, 50) == 50
    assert all(found(mean + noise(seed), between)[scale].falls for seed in range(20))
    rising = found(2 * 0.6 - mean + noise(0), between)[scale]
    assert rising.rises
    assert not rising.falls


def test_each_effect_is_tested_beside_the_other() -> None:
    """A strong effect of V hides no effect of N, and is not taken for one."""
    tested = found(0.9 * GRID[1] ** -0.3 - 0.005 * np.log(GRID[0]) + noise(1, 1e-4))
    assert tested["N"].falls
    assert tested["N"].slope == pytest.approx(-0.005, abs=2e-4)


def test_between_models_it_is_the_regression_of_their_means() -> None:
    Y = 0.6 - 0.01 * np.log(GRID[0]) + noise(4, effect=0.01)
    means = Y.reshape(len(SIZES), -1).mean(axis=1)
    expected = linregress(np.log(SIZES), means)
    tested = found(Y, between=True)["N"]
    assert tested.slope == pytest.approx(expected.slope)
    assert tested.p_value == pytest.approx(expected.pvalue)


def test_a_cell_without_weight_says_nothing() -> None:
    Y, weight = 0.6 - 0.02 * np.log(GRID[0]) + noise(2), np.ones(25)
    spoilt = Y.copy()
    spoilt[3], weight[3] = 50.0, 0.0
    assert found(spoilt, weight=weight)["N"].p_value == pytest.approx(
        found(Y, weight=weight)["N"].p_value
    )


def test_too_few_sizes_cannot_tell() -> None:
    N, V = (axis.ravel() for axis in np.meshgrid([1.0, 2.0], [1.0, 4.0, 9.0], indexing="ij"))
    cells = Cells(N, V, 0.5 - 0.1 * np.log(N) - 0.02 * np.log(V) + 1e-3 * np.sin(V * N), np.ones(6))
    tested = effects(estimate(cells, LAWS.load("log_linear"), make_loss("squared")), True)["N"]
    assert tested.p_value is None
    assert "cannot test" in tested.in_words()
    assert not tested.falls


def test_exact_data_show_their_effects() -> None:
    tested = found(0.6 - 0.02 * np.log(GRID[0]))
    assert tested["N"].falls
    assert not tested["V"].falls
