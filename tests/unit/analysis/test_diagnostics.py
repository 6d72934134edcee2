"""Warnings in plain sentences, and the information criteria from their definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from paretoken.analysis.cells import Cells
from paretoken.analysis.data_warnings import data_warnings
from paretoken.analysis.diagnostics import (
    FitStatus,
    bound_warnings,
    conditioning,
    goodness,
    information,
    outliers,
    profile_warnings,
    standardised_residuals,
    status_of,
)
from paretoken.analysis.estimate import estimate
from paretoken.analysis.losses import make_loss
from paretoken.analysis.profiles import profile
from paretoken.registry import LAWS


def fitted(cells, law="product", loss="squared"):
    return estimate(cells, LAWS.load(law), make_loss(loss, 5e-3), 50.0)


def surface_cells(Y, sizes=(0.5, 1.8, 4.0, 7.0), tokens=(1.0, 4.0, 16.0, 64.0)):
    N, V = (a.ravel() for a in np.meshgrid(sizes, tokens, indexing="ij"))
    return Cells(N, V, Y(N, V), np.ones(len(N)))


# --- goodness -------------------------------------------------------------------------------------


def test_repeated_cells_are_described_by_their_means(surfaces):
    once = surfaces["steep"].cells(0.0)
    noise = np.tile([0.02, -0.02], len(once))
    twice = Cells(*(np.repeat(a, 2) for a in (once.N, once.V, once.Y, once.weight)))
    noisy = Cells(twice.N, twice.V, twice.Y + noise, twice.weight)
    found = goodness(fitted(noisy))
    assert found["r_squared_of_means"] == pytest.approx(1)
    spread = ((noisy.Y - noisy.Y.mean()) ** 2).sum()
    assert found["r_squared"] == pytest.approx(1 - len(noisy) * 0.02**2 / spread)
    assert found["rmse"] == pytest.approx(0.02)


def test_equal_errors_have_no_r_squared():
    found = goodness(fitted(surface_cells(lambda N, V: 0.3 + 0 * N * V)))
    assert found["r_squared"] is None


# --- bounds and status ------------------------------------------------------------------------


def test_inside_all_bounds_is_converged_without_a_warning(surfaces):
    found = fitted(surfaces["steep"].cells(1e-3))
    assert status_of(found) is FitStatus.CONVERGED
    assert bound_warnings(found) == []


def test_a_floor_at_zero_is_named(published):
    found = fitted(published().cells)
    assert status_of(found) is FitStatus.BOUND_ACTIVE
    (sentence,) = bound_warnings(found)
    assert sentence.startswith("D is at its bound 0")
    assert "irreducible error" in sentence


def test_an_error_that_rises_with_n_puts_alpha_on_its_bound():
    found = fitted(surface_cells(lambda N, V: 0.3 + 0.05 * np.log(N) + V**-0.5))
    sentences = " ".join(bound_warnings(found))
    assert found.parameters["alpha"] == 0
    assert "alpha is at its bound 0: the fit shows no fall of the error along that scale" in sentences


def test_an_exponential_fall_puts_beta_on_its_upper_bound():
    found = fitted(surface_cells(lambda N, V: 0.2 + 0.5 * N**-0.2 * (V == 1)))
    assert found.parameters["beta"] == pytest.approx(4)
    assert any(s.startswith("beta is at its bound 4") for s in bound_warnings(found))


def test_a_term_that_explains_nothing_is_named():
    found = fitted(surface_cells(lambda N, V: 0.2 + 0.5 * N**-0.2 + 0.02 * np.log(V)), "additive")
    assert found.parameters["B"] == 0 or found.parameters["beta"] == 0
    assert status_of(found) is FitStatus.BOUND_ACTIVE


def test_a_descent_cut_short_is_not_converged(surfaces):
    found = fitted(surfaces["steep"].cells(1e-3))
    assert status_of(replace(found, converged=False)) is FitStatus.NOT_CONVERGED


# --- profiles ---------------------------------------------------------------------------------


def test_a_flat_floor_is_named_with_what_moves_along(published):
    found = fitted(published().cells)
    (sentence,) = profile_warnings(found, [profile(found, n) for n in ("D", "alpha", "beta")])
    assert sentence.startswith("The profile of D is flat")
    assert "not identified" in sentence
    assert "alpha varies from 0.0709" in sentence


def test_a_well_determined_law_has_no_flat_profile(surfaces):
    found = fitted(surfaces["steep"].cells(1e-3))
    assert profile_warnings(found, [profile(found, n) for n in ("D", "alpha", "beta")]) == []


# --- data -------------------------------------------------------------------------------------


def test_few_levels_are_named(surfaces):
    few = replace(surfaces["steep"], sizes=(0.5, 7.0), tokens=(1.0, 4.0, 16.0))
    sentences = data_warnings(fitted(few.cells(1e-3)), [])
    assert any("levels of N (2)" in s for s in sentences)
    assert any("levels of V (3)" in s for s in sentences)
    assert any("only 2 more cells than parameters" in s for s in sentences)


def test_enough_levels_are_not_complained_about(surfaces):
    many = replace(surfaces["steep"], sizes=(0.5, 1.0, 2.0, 4.0, 8.0))
    sentences = data_warnings(fitted(many.cells(1e-3)), [])
    assert not any("level" in s or "more cells" in s for s in sentences)


def test_levels_without_weight_do_not_count(surfaces):
    many = replace(surfaces["steep"], sizes=(0.5, 1.0, 2.0, 4.0, 8.0)).cells(1e-3)
    found = fitted(many.reweighted(np.where(many.N == 8, 0.0, 1.0)))
    assert any("levels of N (4)" in s for s in data_warnings(found, []))


def test_flagged_cells_are_counted_and_the_first_three_named(surfaces):
    found = fitted(surfaces["steep"].cells(1e-3))
    flags = [f"line {i}: reason {i}" for i in range(2, 7)]
    (sentence,) = [s for s in data_warnings(found, flags) if "flagged" in s]
    assert sentence.startswith("5 flagged cells")
    assert "line 4: reason 4" in sentence
    assert "line 5" not in sentence
    assert "--exclude-flagged" in sentence


# --- information ------------------------------------------------------------------------------


def log_likelihood(found):
    """Of normal errors (of the logarithms, for a log loss), at the best variance, as a density of Y."""
    Y, predicted = found.cells.Y, found.predicted()
    if found.loss.log:
        residual = np.log(Y) - np.log(predicted)
        sd = np.sqrt((residual**2).mean())
        return norm.logpdf(residual, scale=sd).sum() - np.log(Y).sum()
    residual = Y - predicted
    return norm.logpdf(residual, scale=np.sqrt((residual**2).mean())).sum()


@pytest.mark.parametrize("loss", ["squared", "log_squared"])
def test_criteria_follow_from_the_likelihood(law_surface, loss):
    """Up to the constant n (1 + ln 2 pi), which is the same for every fit to the same cells."""
    found = fitted(law_surface.cells(5e-3), law_surface.law_name, loss)
    n, k = len(found.cells), len(found.values) + 1
    record = information(found)
    deviance = -2 * log_likelihood(found) - n * (1 + np.log(2 * np.pi))
    assert record["k"] == k
    assert record["n_points"] == n
    assert record["bic"] == pytest.approx(deviance + k * np.log(n), rel=1e-9)
    assert record["aicc"] == pytest.approx(deviance + 2 * k * n / (n - k - 1), rel=1e-9)


@pytest.mark.parametrize("loss", ["huber", "log_huber", "l1"])
def test_other_losses_have_no_likelihood_and_say_so(surfaces, loss):
    record = information(fitted(surfaces["zero_d"].cells(5e-3), "product_zero_d", loss))
    assert record["aicc"] is None
    assert record["bic"] is None
    assert loss in record["reason"]


def test_an_exact_fit_has_no_likelihood(surfaces):
    record = information(fitted(surfaces["log_linear"].cells(), "log_linear"))
    assert record["aicc"] is None
    assert "exact" in record["reason"]


def test_too_few_cells_for_the_correction():
    cells = surface_cells(
        lambda N, V: 0.5 * N**-0.3 * V**-0.2 + 0.01 * (N == V), sizes=(1.0, 2.0), tokens=(1.0, 2.0, 4.0)
    )
    record = information(fitted(cells, "product"))
    assert record["aicc"] is None
    assert "too few" in record["reason"]


# --- outliers and conditioning ----------------------------------------------------------------


def test_a_planted_outlier_is_listed_and_alone(surfaces):
    cells = surfaces["log_linear"].cells(5e-3, 4)
    Y = cells.Y.copy()
    Y[9] += 0.08
    assert outliers(fitted(cells, "log_linear")) == []
    (listed,) = outliers(fitted(Cells(cells.N, cells.V, Y, cells.weight), "log_linear"))
    assert (listed["n"], listed["v"], listed["error"]) == (cells.N[9], cells.V[9], Y[9])
    assert listed["standardised_residual"] > 3.5


def test_normal_noise_has_few_outliers(surfaces):
    counts = [
        len(outliers(fitted(surfaces["log_linear"].cells(5e-3, s), "log_linear"))) for s in range(40)
    ]
    assert sum(counts) <= 8, "3.5 robust standard deviations of 40 x 28 normal residuals"


def test_a_perfect_fit_has_no_outliers(surfaces):
    found = fitted(surfaces["steep"].cells())
    assert outliers(found) == []
    assert (standardised_residuals(found) == 0).all()


def test_cells_left_out_are_not_outliers(surfaces):
    cells = surfaces["log_linear"].cells(5e-3, 4)
    Y, weight = cells.Y.copy(), np.ones(len(cells))
    Y[9], weight[9] = 5.0, 0.0
    assert outliers(fitted(Cells(cells.N, cells.V, Y, weight), "log_linear")) == []


def test_correlation_of_a_straight_line_is_the_textbook_one(surfaces):
    found = fitted(surfaces["log_linear"].cells(5e-3), "log_linear")
    n, v = np.log(found.cells.N), np.log(found.cells.V)
    design = np.stack([np.ones(len(n)), -(n - n.mean()), -(v - v.mean())], axis=1)
    covariance = np.linalg.inv(design.T @ design)
    sd = np.sqrt(np.diag(covariance))
    record = conditioning(found)
    assert record["free"] == ["c", "a", "b"]
    np.testing.assert_allclose(record["correlation"], covariance / np.outer(sd, sd), atol=1e-9)
    assert record["condition_number"] == pytest.approx(1, abs=1e-6), "a crossed grid is orthogonal"


def test_a_parameter_on_its_bound_is_not_free(published):
    record = conditioning(fitted(published().cells))
    assert record["free"] == ["K", "alpha", "beta"]
    assert np.shape(record["correlation"]) == (3, 3)


def test_conditioning_does_not_depend_on_the_unit_of_n(surfaces):
    cells = surfaces["large_floor"].cells(1e-3)
    scaled = Cells(cells.N * 1e9, cells.V, cells.Y, cells.weight)
    one, other = (conditioning(fitted(c))["condition_number"] for c in (cells, scaled))
    assert one == pytest.approx(other, rel=1e-3)
