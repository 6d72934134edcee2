"""Profiles against refits by scipy and, for the linear law, against the t interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.stats import t as student

from paretoken.analysis.estimate import estimate, make_batch
from paretoken.analysis.losses import make_loss
from paretoken.analysis.profiles import is_flat, profile, profiled_parameters
from paretoken.registry import LAWS

SLOW = pytest.mark.slow


def fitted(surface, noise=5e-3, seed=0, loss="squared"):
    return estimate(surface.cells(noise, seed), surface.law, make_loss(loss), surface.Q)


def refit_by_scipy(found, name, value):
    """The lowest sum of squares with ``name`` held, from the estimate and two more starts."""
    law, cells = found.law, found.cells
    free = [n for n in law.parameters if n != name]

    def residual(rest):
        parameters = dict(zip(free, rest, strict=True)) | {name: value}
        return cells.Y - law.predict(parameters, cells.N, cells.V, found.text_tokens)

    near = np.array([found.parameters[n] for n in free])
    starts = [near + 1e-6, near * 1.2 + 1e-4, np.full(len(near), 0.1)]
    return min(
        2 * least_squares(residual, s, bounds=(0, np.inf), x_scale="jac", xtol=1e-15, ftol=1e-15).cost
        for s in starts
    )


@pytest.mark.parametrize(
    "surface",
    [
        "large_floor",
        pytest.param("published_grid", marks=SLOW),
        pytest.param("additive_large_e", marks=SLOW),
    ],
)
def test_objective_is_the_best_with_the_parameter_held(surfaces, surface):
    found = fitted(surfaces[surface])
    for name in profiled_parameters(found):
        item = profile(found, name)
        for i in (5, 20, 33):
            expected = refit_by_scipy(found, name, item.values[i])
            assert item.objective[i] == pytest.approx(expected, rel=1e-5), (name, item.values[i])


def test_parameters_along_the_profile_give_its_objective(surfaces):
    found = fitted(surfaces["large_floor"])
    item = profile(found, "alpha")
    cells, names = found.cells, found.law.parameters
    for row, value, objective in zip(item.parameters, item.values, item.objective, strict=True):
        named = dict(zip(names, row, strict=True))
        predicted = found.law.predict(named, cells.N, cells.V)
        assert named["alpha"] == pytest.approx(value)
        assert ((cells.Y - predicted) ** 2).sum() == pytest.approx(objective, rel=1e-8)


def test_profile_is_lowest_at_the_estimate(law_surface):
    found = fitted(law_surface)
    for name in profiled_parameters(found):
        item = profile(found, name)
        assert (np.diff(item.values) > 0).all()
        at_estimate = np.argmin(np.abs(item.values - found.parameters[name]))
        assert item.values[at_estimate] == pytest.approx(found.parameters[name], rel=1e-12)
        assert item.objective[at_estimate] == pytest.approx(found.objective, rel=1e-8)
        assert item.objective.min() >= found.objective * (1 - 1e-9), "then the fit was not the best"


@pytest.mark.parametrize("seed", range(3))
def test_interval_of_the_linear_law_is_the_t_interval(surfaces, seed):
    found = fitted(surfaces["log_linear"], noise=0.01, seed=seed)
    cells = found.cells
    design = np.stack([np.ones(len(cells)), -np.log(cells.N), -np.log(cells.V)], axis=1)
    freedom = len(cells) - 3
    covariance = found.objective / freedom * np.linalg.inv(design.T @ design)
    for position, name in ((1, "a"), (2, "b")):
        half = student.ppf(0.975, freedom) * np.sqrt(covariance[position, position])
        low, high = profile(found, name).interval
        estimate_ = found.parameters[name]
        assert [low, high] == pytest.approx([estimate_ - half, estimate_ + half], rel=0.02)


def test_published_floor_is_flat_and_the_exponents_move_along(published):
    found = estimate(published().cells, LAWS.load("product"), make_loss("squared"))
    item = profile(found, "D")
    assert is_flat(found, item)
    low, high = item.interval
    assert low == 0
    assert 0.1 < high < 0.2
    alpha = item.inside("alpha", found.law.parameters)
    assert alpha.max() > 1.25 * alpha.min()


def test_a_well_determined_floor_is_not_flat(surfaces):
    found = fitted(surfaces["steep"], noise=1e-3)
    assert not is_flat(found, profile(found, "D"))


def test_a_robust_loss_has_no_threshold(surfaces):
    found = fitted(surfaces["published_grid"], loss="huber")
    item = profile(found, "alpha")
    assert item.threshold is None
    assert item.interval is None
    assert not is_flat(found, item)
    assert len(item.inside("beta", found.law.parameters)) == len(item.values)


@pytest.mark.parametrize(
    ("surface", "names"),
    [
        ("large_floor", ["D", "alpha", "beta"]),
        ("zero_d", ["alpha", "beta"]),
        ("additive", ["E", "alpha", "beta"]),
        ("log_linear", ["a", "b"]),
    ],
)
def test_which_parameters_are_profiled(surfaces, surface, names):
    assert profiled_parameters(fitted(surfaces[surface])) == names


def test_an_interval_much_narrower_than_the_ladder_is_looked_at_closely(surfaces):
    """Noise of 1e-6 of the error: the values tried at first are 7 % apart."""
    found = estimate(surfaces["zero_d"].cells(1e-6), surfaces["zero_d"].law, make_loss("squared"))
    for name in ("alpha", "beta"):
        item = profile(found, name)
        for end in item.interval:
            position = found.law.parameters.index(name)
            held = make_batch(found.cells, found.law, found.loss, found.text_tokens, 1)
            held.lower[:, position] = held.upper[:, position] = end
            excess = float(found.descend(held)[1][0]) - found.objective
            assert excess == pytest.approx(item.threshold - found.objective, rel=0.05)
