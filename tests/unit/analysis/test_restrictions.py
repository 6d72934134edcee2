"""What cells say of assumptions about a law: seldom against right ones, usually against wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from paretoken.analysis.cells import CellData, Cells
from paretoken.analysis.estimate import Estimate, estimate
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.losses import make_loss
from paretoken.analysis.restrictions import contradicted, contradiction, equal_slopes
from paretoken.config.constraints import read_constraints
from paretoken.registry import LAWS

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0), (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
N, V = (axis.ravel() for axis in np.meshgrid(SIZES, TOKENS, indexing="ij"))


def fitted(
    seed: int, ties: list[str], fixes: list[str], shared: float = 0.0, alpha: float = 0.2
) -> Estimate:
    """Fit errors of a known law (beta .2, no floor), with noise of each cell and of each size."""
    generator = np.random.default_rng([seed, 8])
    noise = generator.normal(size=28) + shared * np.repeat(generator.normal(size=4), 7)
    cells = Cells(N, V, 0.5 * N**-alpha * V**-0.2 + 0.005 * noise, np.ones(28))
    law = LAWS.load("product").constrained(read_constraints("product", ties, fixes))
    return estimate(cells, law, make_loss("squared"))


@pytest.mark.parametrize("shared", [0.0, 1.0])
@pytest.mark.parametrize(
    ("ties", "fixes"), [(["alpha=beta"], []), ([], ["alpha=0.2"]), ([], ["D=0", "alpha=0.2"])]
)
def test_what_is_true_is_seldom_contradicted(ties: list[str], fixes: list[str], shared: float) -> None:
    p_values = [contradiction(fitted(seed, ties, fixes, shared)) for seed in range(40)]
    found = sum(p is not None and p < 0.05 for p in p_values)
    # With four sizes, noise that they share is sometimes taken for that of the cells.
    assert found <= binom.ppf(1 - 1e-3, 40, 0.1 if shared else 0.05)


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_what_is_far_from_true_is_contradicted(shared: float) -> None:
    for seed in range(10):
        found = fitted(seed, ["alpha=beta"], [], shared, alpha=0.6)
        p_value = contradiction(found)
        assert p_value is not None
        assert p_value < 0.05
        assert "The cells contradict alpha = beta:" in contradicted(found, p_value)[0]


def test_several_assumptions_are_judged_together() -> None:
    found = fitted(0, ["alpha=beta"], ["D=0.05"], alpha=0.6)
    (said,) = contradicted(found, contradiction(found))
    assert "alpha = beta, D = 0.05, taken together" in said
    assert contradicted(found, 0.3) == contradicted(found, None) == []


def test_nothing_assumed_is_not_tested() -> None:
    assert contradiction(fitted(0, [], [])) is None
    assert equal_slopes(fitted(0, ["alpha=beta"], [])) is None


def test_equal_slopes_are_distinguished_at_the_rate_of_the_test() -> None:
    p_values = [equal_slopes(fitted(seed, [], [])) for seed in range(60)]
    assert sum(p is not None and p < 0.05 for p in p_values) <= binom.ppf(1 - 1e-3, 60, 0.05)
    assert all((equal_slopes(fitted(seed, [], [], alpha=0.6)) or 0) < 1e-3 for seed in range(5))


def test_the_interval_of_the_ratio_holds_one_where_the_test_does_not_exclude_it() -> None:
    for seed in range(12):
        found = fitted(seed, [], [])
        record = fit_record(CellData(found.cells, {}, []), FitOptions(bootstrap=60))
        ends = record["intervals"]["alpha_over_beta"]
        if (equal_slopes(found) or 0) >= 0.05:
            assert ends["low"] <= 1 <= ends["high"]
