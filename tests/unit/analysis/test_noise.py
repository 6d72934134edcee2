"""Noise: how often it is called shared, how large it is said to be, and what its draws are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from paretoken.analysis.cells import Cells
from paretoken.analysis.estimate import Estimate, estimate
from paretoken.analysis.losses import make_loss
from paretoken.analysis.noise import Noise, measure_noise
from paretoken.registry import LAWS

TOKENS = (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
SIZES = (0.5, 1.1, 1.8, 4.0, 7.0, 14.0)
OWN, EFFECT = 0.004, 0.008
SQUARED = make_loss("squared")


def fitted(
    seed: int, effect: float, repeats: int = 1, own: float = OWN, loss: str = "squared"
) -> Estimate:
    """Fit errors of a known law with noise of each cell and, if wanted, of each language model."""
    generator = np.random.default_rng([seed, 17])
    axes = np.meshgrid(SIZES, TOKENS, range(repeats), indexing="ij")
    N, V, repeat = (axis.ravel().astype(float) for axis in axes)
    models = generator.normal(size=(len(SIZES), repeats))[np.searchsorted(SIZES, N), repeat.astype(int)]
    noise = own * generator.normal(size=len(N)) + effect * models
    mean = 0.45 * N**-0.25 * V**-0.08 + 0.15
    Y = mean * np.exp(noise) if loss.startswith("log_") else mean + noise
    cells = Cells(N, V, Y, np.ones(len(N)), repeat if repeats > 1 else None)
    return estimate(cells, LAWS.load("product"), make_loss(loss))


def called_shared(effect: float, data_sets: int, **settings: object) -> int:
    """Return in how many data sets the noise is called shared."""
    return sum(measure_noise(fitted(seed, effect, **settings)).shared for seed in range(data_sets))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "log_squared", "own": 0.01},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"repeats": 3}, marks=pytest.mark.slow),
    ],
)
def test_independent_noise_is_called_shared_in_five_percent(settings: dict[str, object]) -> None:
    found = called_shared(0.0, 60, **settings)
    assert found <= binom.ppf(1 - 1e-3, 60, 0.05)


@pytest.mark.parametrize("settings", [{}, {"repeats": 3}])
def test_shared_noise_is_called_so_nearly_always(settings: dict[str, object]) -> None:
    """Effects of twice the size of a cell's own noise."""
    assert called_shared(EFFECT, 40, **settings) >= binom.ppf(1e-3, 40, 0.9)


@pytest.mark.slow
def test_the_rate_of_false_alarms_is_neither_more_nor_much_less_than_it_says() -> None:
    found = called_shared(0.0, 200)
    assert binom.ppf(1e-3, 200, 0.02) <= found <= binom.ppf(1 - 1e-3, 200, 0.05)


def test_standard_deviations_are_those_of_the_noise() -> None:
    own, effect = np.array(
        [measure_noise(fitted(seed, EFFECT, repeats=4)).standard_deviations for seed in range(25)]
    ).T
    assert np.sqrt((own**2).mean()) == pytest.approx(OWN, rel=0.05)
    assert np.sqrt((effect**2).mean()) == pytest.approx(EFFECT, rel=0.2)


def test_independent_noise_is_all_of_the_cells_own() -> None:
    noises = [measure_noise(fitted(seed, 0.0)) for seed in range(30)]
    alone = [noise.standard_deviations for noise in noises if not noise.effects]
    assert all(effect == 0 for _, effect in alone)
    assert np.mean([own for own, _ in alone]) == pytest.approx(OWN, rel=0.08)


def test_repetitions_of_one_size_are_language_models_of_their_own() -> None:
    """With seeds, effects are of sizes and seeds: as many as there are models, less the law's."""
    assert measure_noise(fitted(0, EFFECT, repeats=3)).effect_freedom > len(SIZES)


def test_sums_of_squares_and_freedom_add_up() -> None:
    found = fitted(3, EFFECT)
    noise = measure_noise(found)
    assert noise.own_squares + noise.effect_squares == pytest.approx(found.objective)
    assert noise.own_freedom + noise.effect_freedom == len(found.cells) - len(found.values)


def test_draws_of_the_variance_are_those_of_student() -> None:
    """The squares over a draw of chi-squared: their reciprocals have the mean freedom / squares."""
    noise = Noise(0.5, False, 2.0, 20, 0.5, 4, 7.0)
    own, effect = noise.draws(20_000, np.random.default_rng(0))
    assert (effect == 0).all()
    assert (1 / own).mean() == pytest.approx(24 / 2.5, rel=0.02)


def test_a_perfect_fit_has_no_noise() -> None:
    noise = measure_noise(fitted(0, 0.0, own=0.0))
    assert not noise.shared
    assert noise.standard_deviations == pytest.approx((0, 0), abs=1e-6)


def test_without_spare_cells_nothing_is_known() -> None:
    N, V = np.array([1.0, 1.0, 2.0, 2.0]), np.array([1.0, 4.0, 1.0, 9.0])
    cells = Cells(N, V, np.array([0.9, 0.6, 0.7, 0.5]), np.ones(4))
    noise = measure_noise(estimate(cells, LAWS.load("product"), make_loss("squared")))
    assert noise.p_value is None
    assert noise.as_record()["p_value"] is None


def scattered(seed: int, share: float, sd: float) -> Noise:
    """Return the noise of 4 x 7 cells: normal, of ``sd``, and of a share of each error."""
    generator = np.random.default_rng([seed, 6])
    axes = np.meshgrid((0.5, 1.8, 4.0, 7.0), TOKENS, indexing="ij")
    N, V = (axis.ravel() for axis in axes)
    mean = 0.6 * N**-0.5 * V**-0.3
    Y = mean + (sd + share * mean) * generator.normal(size=len(N))
    return measure_noise(estimate(Cells(N, V, Y, np.ones(len(N))), LAWS.load("product"), SQUARED))


def test_even_scatter_is_called_uneven_in_five_percent() -> None:
    found = sum(scattered(seed, 0.0, 0.01).uneven for seed in range(60))
    assert found <= binom.ppf(1 - 1e-3, 60, 0.06)


def test_scatter_in_proportion_to_the_error_is_noticed() -> None:
    found = [scattered(seed, 0.1, 0.0) for seed in range(30)]
    assert sum(noise.uneven for noise in found) >= binom.ppf(1e-3, 30, 0.85)
    (said,) = next(noise for noise in found if noise.uneven).warnings()
    assert "Cells with larger errors scatter more" in said
    assert scattered(0, 0.0, 0.0).uneven_p is None or not scattered(0, 0.0, 0.0).uneven
