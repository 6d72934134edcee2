"""The descent: many problems at once are the same problems one by one, and bounds are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from paretoken.analysis import solver
from paretoken.analysis.estimate import make_batch
from paretoken.analysis.laws.base import EXPONENT_LIMIT
from paretoken.analysis.losses import make_loss
from paretoken.analysis.solver import Effort, default_bounds, minimise
from paretoken.registry import LAWS

START = np.array([0.5, 0.05, 0.1, 0.05])


def problems(surface, count, noise=5e-3, loss="squared"):
    cells = surface.cells()
    y = np.stack([surface.cells(noise, seed).Y for seed in range(count)])
    return make_batch(cells, surface.law, make_loss(loss, 5e-3), surface.Q, count, y=y)


@pytest.mark.parametrize("loss", ["squared", "log_huber"])
def test_a_batch_is_its_problems_one_by_one(surfaces, loss):
    batch = problems(surfaces["large_floor"], 6, loss=loss)
    start = np.tile([1.0, 2.0, 0.3, 0.3], (6, 1))
    values, objective, done = minimise(batch, start)
    assert done.all()
    for i in range(6):
        alone, value, _ = minimise(batch.rows(slice(i, i + 1)), start[i : i + 1])
        assert objective[i] == pytest.approx(value[0], rel=1e-9)
        np.testing.assert_allclose(values[i], alone[0], rtol=1e-4, atol=1e-8)


def test_chunks_change_nothing(surfaces, monkeypatch):
    batch = problems(surfaces["published_grid"], 7)
    whole = minimise(batch, np.tile(START, (7, 1)))
    monkeypatch.setattr(solver, "CHUNK_NUMBERS", 2 * 28 * 4)
    parts = minimise(batch, np.tile(START, (7, 1)))
    np.testing.assert_allclose(parts[1], whole[1], rtol=1e-10)


def test_the_objective_never_rises_above_the_start(surfaces):
    batch = problems(surfaces["ocr_like"], 5, noise=0.1)
    start = np.tile(START, (5, 1))
    for steps in (1, 3, 10):
        assert (minimise(batch, start, Effort(steps, 1e-13))[1] <= batch.objective(start)).all()


def test_too_few_steps_are_not_called_converged(surfaces):
    batch = problems(surfaces["published_grid"], 1)
    assert not minimise(batch, START[None], Effort(1, 1e-13))[2][0]


def test_results_lie_within_the_bounds(surfaces):
    """Noise asks for negative floors and negative exponents now and then."""
    batch = problems(surfaces["no_floor"], 40, noise=0.2)
    values, _, _ = minimise(batch, np.tile(START, (40, 1)))
    assert (values >= 0).all()
    assert (values[:, 2:] <= EXPONENT_LIMIT).all()
    assert (values == 0).any(), "no bound was ever active: the test shows nothing"


def test_a_parameter_held_stays_and_the_others_are_best(surfaces):
    surface = surfaces["published_grid"]
    batch = problems(surface, 1)
    lower, upper = batch.lower.copy(), batch.upper.copy()
    lower[:, 2] = upper[:, 2] = 0.2
    values, objective, _ = minimise(replace(batch, lower=lower, upper=upper), START[None])
    assert values[0, 2] == 0.2

    def residual(rest):
        K, D, beta = rest
        return K * np.exp(-0.2 * batch.log_n - beta * batch.log_t) + D - batch.y[0]

    found = least_squares(residual, [0.4, 0.1, 0.02], bounds=([0] * 3, [np.inf] * 2 + [4]))
    assert objective[0] == pytest.approx(2 * found.cost, rel=1e-7)


@pytest.mark.parametrize("name", list(LAWS))
def test_default_bounds_match_the_parameters(name):
    law = LAWS.load(name)
    lower, upper = default_bounds(law, 3)
    assert lower.shape == upper.shape == (3, len(law.parameters))
    named = dict(zip(law.parameters, zip(lower[0], upper[0], strict=True), strict=True))
    for parameter in law.exponents:
        assert named[parameter] == (0.0, EXPONENT_LIMIT)
    for parameter in law.linear:
        assert named[parameter] == ((0.0 if law.bounded else -np.inf), np.inf)
