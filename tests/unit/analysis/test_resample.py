"""Resampling: coverage of the intervals, and what each method draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from paretoken.analysis import resample
from paretoken.analysis.cells import Cells
from paretoken.analysis.estimate import estimate
from paretoken.analysis.linearised import free_parameters, leverage, scaled_jacobian
from paretoken.analysis.losses import make_loss
from paretoken.analysis.resample import EFFECTS, METHODS, draw, percentiles
from paretoken.registry import LAWS


def fitted(surface, noise=5e-3, seed=0, loss="squared"):
    return estimate(surface.cells(noise, seed), surface.law, make_loss(loss, 5e-3), surface.Q)


def covered(surface, names, data_sets, replicates):
    """How many residual-bootstrap intervals of each parameter hold the truth."""
    hits = dict.fromkeys(names, 0)
    for seed in range(data_sets):
        values = draw(fitted(surface, 5e-3, seed), "residual", replicates, seed).values
        for name in names:
            low, high = percentiles(values[:, surface.law.parameters.index(name)])
            hits[name] += low <= surface.parameters[name] <= high
    return hits


def binomial_bounds(data_sets, level=0.95, tail=1e-3):
    """Counts that a right interval leaves with probability ``2 * tail`` only; percentile intervals
    of 28 points are a little narrow, for which the level is lowered by 2 points below."""
    return binom.ppf(tail, data_sets, level - 0.02), binom.ppf(1 - tail, data_sets, level)


@pytest.mark.parametrize(
    ("surface", "names"),
    [
        ("log_linear", ["a"]),
        pytest.param("zero_d", ["alpha", "beta"], marks=pytest.mark.slow),
        pytest.param("large_floor", ["alpha"], marks=pytest.mark.slow),
        pytest.param("additive_large_e", ["alpha"], marks=pytest.mark.slow),
    ],
)
def test_intervals_cover_the_truth_as_often_as_they_say(surfaces, surface, names):
    low, high = binomial_bounds(80)
    for name, hits in covered(surfaces[surface], names, 80, 200).items():
        assert low <= hits <= max(high, 79), name


@pytest.mark.parametrize("method", ["points", "cluster"])
def test_other_methods_cover_with_many_sizes(surfaces, method):
    """Twelve sizes: enough for whole sizes to be resampled."""
    surface = replace(surfaces["log_linear"], sizes=tuple(np.geomspace(0.3, 30, 12)))
    hits = 0
    for seed in range(100):
        low, high = percentiles(draw(fitted(surface, 5e-3, seed), method, 200, seed).values[:, 1])
        hits += low <= 0.0384 <= high
    assert hits >= binom.ppf(1e-3, 100, 0.89), "whole sizes are coarse: 89 % is asked, not 95"


def test_cluster_intervals_are_wider_where_sizes_share_noise(surfaces):
    surface = replace(surfaces["log_linear"], sizes=tuple(np.geomspace(0.3, 30, 12)))
    cells = surface.cells()
    shared = np.random.default_rng(1).normal(size=12)[:, None] * np.ones(7) * 0.01
    noise = np.random.default_rng(2).normal(size=len(cells)) * 1e-4
    noisy = Cells(cells.N, cells.V, cells.Y + shared.ravel() + noise, cells.weight)
    found = estimate(noisy, surface.law, make_loss("squared"))
    width = {m: np.ptp(percentiles(draw(found, m, 400, 0).values[:, 1])) for m in METHODS}
    assert width["cluster"] > 1.5 * width["points"]
    assert width["cluster"] > 1.5 * width["residual"]


@pytest.mark.parametrize("method", [*METHODS, EFFECTS])
def test_the_same_seed_gives_the_same_draws(surfaces, method):
    found = fitted(surfaces["zero_d"])
    one, again, other = (draw(found, method, 30, seed).values for seed in (3, 3, 4))
    assert (one == again).all()
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("method", [*METHODS, EFFECTS])
def test_more_replicates_do_not_change_how_each_is_refitted(surfaces, method, monkeypatch):
    """In chunks or at once, with other memory: the same draws."""
    found = fitted(surfaces["zero_d"])
    whole = draw(found, method, 20, 1).values
    monkeypatch.setattr(resample, "CHUNK_NUMBERS", 28 * 3)
    np.testing.assert_allclose(draw(found, method, 20, 1).values, whole, rtol=1e-6)


def test_a_perfect_fit_has_no_uncertainty(surfaces):
    found = fitted(surfaces["large_floor"], noise=0.0)
    draws = draw(found, "residual", 20, 0).values
    np.testing.assert_allclose(draws, np.tile(found.values, (20, 1)), rtol=1e-5)


def test_residual_spread_of_a_straight_line_is_the_textbook_one(surfaces):
    """Ordinary least squares: the covariance is s^2 (X'X)^-1, with Student's t a little more."""
    found = fitted(surfaces["log_linear"])
    cells = found.cells
    design = np.stack([np.ones(len(cells)), -np.log(cells.N), -np.log(cells.V)], axis=1)
    variance = found.objective / (len(cells) - 3)
    freedom = len(cells) - 3
    wider = freedom / (freedom - 2)
    expected = np.sqrt(wider * variance * np.diag(np.linalg.inv(design.T @ design)))
    spread = draw(found, "residual", 2000, 0).values.std(axis=0)
    np.testing.assert_allclose(spread, expected, rtol=0.08)


def test_replicates_that_determine_nothing_are_counted(surfaces):
    """With two sizes, half of all draws of whole sizes hold one size twice."""
    surface = replace(surfaces["zero_d"], sizes=(0.5, 7.0))
    draws = draw(fitted(surface), "cluster", 400, 0)
    assert len(draws.values) + draws.unusable == 400
    assert binom.ppf(1e-6, 400, 0.5) <= draws.unusable <= binom.ppf(1 - 1e-6, 400, 0.5)


def test_cells_without_weight_are_never_drawn(surfaces):
    surface = surfaces["zero_d"]
    cells = surface.cells(5e-3)
    spoilt, weight = cells.Y.copy(), np.ones(len(cells))
    spoilt[:7], weight[:7] = 99.0, 0.0
    found = estimate(Cells(cells.N, cells.V, spoilt, weight), surface.law, make_loss("squared"))
    for method in (*METHODS, EFFECTS):
        values = draw(found, method, 50, 0).values
        assert (np.abs(values[:, 0] / 0.59 - 1) < 0.5).all(), method


def test_leverage_sums_to_the_number_of_parameters(surfaces):
    for name in ("large_floor", "log_linear", "zero_d"):
        found = fitted(surfaces[name])
        assert leverage(found).sum() == pytest.approx(len(found.values)), name
    on_bound = fitted(surfaces["no_floor"], seed=1)
    assert leverage(on_bound).sum() == pytest.approx(len(free_parameters(on_bound)))


def test_leverage_of_a_straight_line_is_the_hat_matrix(surfaces):
    found = fitted(surfaces["log_linear"])
    cells = found.cells
    design = np.stack([np.ones(len(cells)), np.log(cells.N), np.log(cells.V)], axis=1)
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    np.testing.assert_allclose(leverage(found), np.diag(hat), rtol=1e-8)


def test_scaled_jacobian_of_logarithmic_residuals(surfaces):
    """For K N^-alpha V^-beta: d ln Y / d (K, alpha, beta) = (1/K, -ln N, -ln V), centred."""
    found = fitted(surfaces["zero_d"], loss="log_squared")
    cells = found.cells
    n, v = np.log(cells.N), np.log(cells.V)
    expected = [np.full(len(cells), 1 / found.centred[0]), -(n - n.mean()), -(v - v.mean())]
    np.testing.assert_allclose(scaled_jacobian(found), np.stack(expected, axis=1), atol=1e-9)


def test_percentiles():
    assert percentiles(np.arange(1, 1001.0)) == pytest.approx([25, 975], abs=1)
    assert percentiles(np.array([])) == [None, None]
    assert percentiles(np.array([1.0, 2.0, np.inf, np.inf])) == [1.0, None]
    assert percentiles(np.full(10, np.inf)) == [None, None]


@pytest.mark.parametrize("law", list(LAWS))
def test_draws_have_one_column_per_parameter(published, law):
    found = estimate(published().cells, LAWS.load(law), make_loss("squared"), 50.0)
    assert draw(found, "residual", 5, 0).values.shape == (5, len(found.law.parameters))
