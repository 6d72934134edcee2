"""The linear solutions at fixed exponents, against scipy's non-negative least squares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from paretoken.analysis.estimate import make_batch
from paretoken.analysis.laws.base import EXPONENT_LIMIT
from paretoken.analysis.losses import make_loss
from paretoken.analysis.starting_points import best_start, exponent_grid, linear_solutions, point_starts
from paretoken.registry import LAWS

#: Not (0, 0): there the columns are the same, and any split between them is as good.
THETA = np.array([[0.07, 0.015], [0.5, 0.02], [0.01, 1.2]])


def batch_of(surface, law, noise=0.05, seed=0, weight=None):
    cells = surface.cells(noise, seed)
    weights = None if weight is None else weight[None]
    return make_batch(cells, law, make_loss("squared"), surface.Q, 1, weight=weights)


@pytest.mark.parametrize("name", ["product", "product_zero_d", "additive", "product_q_plus_v"])
@pytest.mark.parametrize("seed", range(3))
def test_linear_part_is_non_negative_least_squares(surfaces, name, seed):
    law = LAWS.load(name)
    weight = np.random.default_rng(seed).uniform(0.2, 3, 28)
    batch = batch_of(surfaces["ocr_like"], law, seed=seed, weight=weight)
    values, squares = linear_solutions(batch, THETA)
    root = np.sqrt(weight)
    for g, theta in enumerate(THETA):
        design = law.basis(theta[None], batch.log_n, batch.log_t)[0]
        _, norm = nnls(design * root[:, None], batch.y[0] * root)
        assert squares[g, 0] == pytest.approx(norm**2, rel=1e-7)
        reached = (weight * (design @ values[g, 0] - batch.y[0]) ** 2).sum()
        assert reached == pytest.approx(norm**2, rel=1e-6)
        assert (values[g, 0] >= 0).all()


def test_linear_part_is_exact_at_steep_exponents(surfaces):
    law, theta = LAWS.load("product"), np.array([[2.0, 3.0]])
    batch = batch_of(surfaces["ocr_like"], law, seed=1)
    _, squares = linear_solutions(batch, theta)
    design = law.basis(theta, batch.log_n, batch.log_t)[0]
    assert squares[0, 0] == pytest.approx(nnls(design, batch.y[0])[1] ** 2, rel=1e-3)


def test_unbounded_linear_part_is_least_squares(surfaces):
    law = LAWS.load("log_linear")
    batch = batch_of(surfaces["log_linear"], law)
    values, squares = linear_solutions(batch, np.zeros((1, 0)))
    design = law.basis(np.zeros((1, 0)), batch.log_n, batch.log_t)[0]
    expected, left, *_ = np.linalg.lstsq(design, batch.y[0], rcond=None)
    assert values[0, 0] == pytest.approx(expected, rel=1e-8)
    assert squares[0, 0] == pytest.approx(left[0], rel=1e-8)


def test_grid_of_exponents_spans_the_allowed_range():
    grid = exponent_grid(LAWS.load("product"), 12)
    assert grid.shape == (144, 2)
    assert grid.min() == 0
    assert grid.max() == pytest.approx(EXPONENT_LIMIT)
    assert exponent_grid(LAWS.load("log_linear"), 12).shape == (1, 0)


def test_starts_hold_the_best_grid_point_and_are_spread(surfaces):
    law = LAWS.load("product")
    batch = batch_of(surfaces["published_grid"], law, noise=0.002)
    starts = point_starts(batch)
    theta = exponent_grid(law, 40)
    _, squares = linear_solutions(batch, theta)
    best = theta[np.argmin(squares[:, 0])]
    assert (starts[:, 2:] == best).all(axis=1).any()
    assert len(np.unique(starts[:, 2:], axis=0)) == len(starts) >= 10
    assert np.ptp(starts[:, 2]) > 1, "starts far from the answer, too"


def test_each_problem_of_a_batch_has_its_own_start(surfaces):
    law, surface = LAWS.load("product"), surfaces["published_grid"]
    cells = surface.cells()
    steep = surfaces["steep"].cells().Y
    loss = make_loss("squared")
    both = make_batch(cells, law, loss, 0.0, 2, y=np.stack([cells.Y, steep]))
    starts = best_start(both)
    for row, y in zip(starts, (cells.Y, steep), strict=True):
        alone = best_start(make_batch(cells, law, loss, 0.0, 1, y=y[None]))[0]
        assert row == pytest.approx(alone)
    assert starts[1, 2] > 0.3 > starts[0, 2]
