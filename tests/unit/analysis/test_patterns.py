"""Patterns of residuals: seldom found in a law that is right, usually in one that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from paretoken.analysis.cells import Cells
from paretoken.analysis.estimate import estimate
from paretoken.analysis.losses import make_loss
from paretoken.analysis.patterns import pattern
from paretoken.registry import LAWS

TRUTHS = {
    "product": {"K": 0.45, "D": 0.1, "alpha": 0.25, "beta": 0.12},
    "product_zero_d": {"K": 0.59, "alpha": 0.1, "beta": 0.05},
    "product_q_plus_v": {"K": 0.9, "D": 0.15, "alpha": 0.2, "beta": 0.25},
    "log_linear": {"c": 0.59, "a": 0.038, "b": 0.0181},
    "additive": {"E": 0.1, "A": 0.25, "B": 0.2, "alpha": 0.4, "beta": 0.4},
    "constant": {"c": 0.4},
}
OWN, Q = 0.005, 50.0


def drawn(truth, count, shared=0.0, sizes=4, tokens=5):
    """Yield data sets of a law with known parameters; ``shared`` is the noise of a size's cells."""
    N, V = (
        axis.ravel()
        for axis in np.meshgrid(
            np.geomspace(0.5, 14, sizes), np.geomspace(1, 576, tokens), indexing="ij"
        )
    )
    clean = LAWS.load(truth).predict(TRUTHS[truth], N, V, Q)
    generator = np.random.default_rng(len(truth))
    for _ in range(count):
        noise = generator.normal(0, OWN, len(N)) + np.repeat(generator.normal(0, shared, sizes), tokens)
        yield Cells(N, V, clean + noise, np.ones(len(N)))


def found(law, truth, count, loss="squared", **options):
    """Return in how many data sets of ``truth`` the residuals of ``law`` have a pattern."""
    data = drawn(truth, count, **options)
    return sum(pattern(estimate(cells, LAWS.load(law), make_loss(loss), Q)).found for cells in data)


@pytest.mark.parametrize("truth", ["log_linear", "constant", "product_zero_d"])
@pytest.mark.parametrize("shared", [0.0, 0.006])
def test_a_law_that_is_right_is_seldom_excluded(truth, shared):
    assert found(truth, truth, 60, shared=shared) <= binom.ppf(0.999, 60, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "shared"),
    [*((truth, 0.003) for truth in TRUTHS), ("product", 0.0), ("additive", 0.0)],
)
def test_every_law_that_is_right_is_excluded_in_five_percent_of_data_sets(truth, shared):
    assert found(truth, truth, 100, shared=shared) <= binom.ppf(0.999, 100, 0.05)


@pytest.mark.parametrize(
    ("law", "truth"),
    [
        ("constant", "product"),
        ("log_linear", "product"),
        ("log_linear", "additive"),
        ("product", "additive"),
        ("additive", "product"),
        ("product_q_plus_v", "product"),
    ],
)
def test_a_law_that_differs_measurably_is_usually_excluded(law, truth):
    count = found(law, truth, 15, sizes=5, tokens=6)
    assert count >= binom.ppf(0.001, 15, 0.75)


def test_without_spare_cells_no_pattern_is_reported(surfaces):
    cells = surfaces["log_linear"].cells(1e-2)
    kept = np.isin(np.arange(len(cells)), [0, 3, 13, 27])
    few = Cells(cells.N[kept], cells.V[kept], cells.Y[kept], np.ones(4))
    result = pattern(estimate(few, LAWS.load("log_linear"), make_loss("squared")))
    assert (result.p_value, result.found) == (None, False)
    assert "too few" in result.reason


def test_an_exact_fit_has_no_pattern(law_surface):
    fitted = estimate(law_surface.cells(), law_surface.law, make_loss("squared"), law_surface.Q)
    assert not pattern(fitted).found


@pytest.mark.parametrize("loss", ["l1", "huber", "log_huber"])
def test_losses_without_an_f_test_are_not_tested(surfaces, loss):
    fitted = estimate(surfaces["log_linear"].cells(1e-2), LAWS.load("log_linear"), make_loss(loss))
    result = pattern(fitted)
    assert result.p_value is None
    assert loss in result.reason


def test_weights_of_zero_leave_cells_out(surfaces):
    cells = surfaces["log_linear"].cells(1e-2)
    spoilt = np.where(cells.N == 0.5, 9.0, cells.Y)
    weight = np.where(cells.N == 0.5, 0.0, 1.0)
    law, loss = LAWS.load("log_linear"), make_loss("squared")
    kept = cells.N != 0.5
    without = Cells(cells.N[kept], cells.V[kept], cells.Y[kept], np.ones(int(kept.sum())))
    one = pattern(estimate(Cells(cells.N, cells.V, spoilt, weight), law, loss)).p_value
    assert one == pytest.approx(pattern(estimate(without, law, loss)).p_value, rel=1e-6)


def test_the_unit_of_n_does_not_matter(surfaces):
    cells = surfaces["ocr_like"].cells(5e-3)
    law, loss = LAWS.load("log_linear"), make_loss("squared")
    other = Cells(cells.N * 1e9, cells.V, cells.Y, cells.weight)
    p_values = [pattern(estimate(c, law, loss)).p_value for c in (cells, other)]
    assert p_values[0] == pytest.approx(p_values[1], rel=1e-6)
