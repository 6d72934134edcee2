"""Losses against their definitions by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import huber as scipy_huber

from paretoken.analysis.losses import LOSSES, make_loss

RESIDUALS = np.array([-3.0, -0.2, 0.0, 0.1, 5.0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("squared", [9, 0.04, 0, 0.01, 25]),
        ("log_squared", [9, 0.04, 0, 0.01, 25]),
        ("l1", [3, 0.2, 0, 0.1, 5]),
        ("huber", [0.5 * 2.75, 0.02, 0, 0.005, 0.5 * 4.75]),
        ("log_huber", [0.5 * 2.75, 0.02, 0, 0.005, 0.5 * 4.75]),
    ],
)
def test_rho_by_hand(name, expected):
    assert make_loss(name, huber_delta=0.5).rho(RESIDUALS) == pytest.approx(expected)


@given(r=st.floats(-10, 10), delta=st.floats(1e-3, 5))
def test_huber_is_scipys(r, delta):
    assert make_loss("huber", delta).rho(np.array([r]))[0] == pytest.approx(scipy_huber(delta, r))


@pytest.mark.parametrize("name", ["squared", "huber", "l1"])
@given(sizes=st.lists(st.floats(1e-2, 3.0), min_size=2, max_size=2))
def test_influence_is_the_slope_of_rho_over_the_residual(name, sizes):
    """Known up to one constant per loss, so the ratio of two residuals' influences is checked."""
    loss, r, h = make_loss(name, 0.5), np.array(sizes), 1e-6
    slope = (loss.rho(r + h) - loss.rho(r - h)) / (2 * h) / r
    influence = loss.influence(r) if name != "l1" else make_loss("huber", 1e-9).influence(r)
    assert influence[0] / influence[1] == pytest.approx(slope[0] / slope[1], rel=1e-4)


def test_objective_is_a_weighted_sum():
    observed, predicted = np.array([1.0, 2.0, 3.0]), np.array([[1.5, 2.0, 1.0], [1.0, 2.0, 3.0]])
    objective = make_loss("squared").objective(observed, predicted, np.array([2.0, 9.0, 0.5]))
    assert objective == pytest.approx([2 * 0.25 + 0.5 * 4, 0.0])


def test_logarithmic_residuals():
    loss = make_loss("log_squared")
    residual = loss.residuals(np.array([0.5, 0.5, 0.5]), np.array([0.25, 0.0, -1.0]))
    assert residual[0] == pytest.approx(np.log(2))
    assert np.isposinf(residual[1:]).all(), "no logarithm there: never the better fit"


def test_only_the_log_losses_take_logarithms():
    assert {name for name in LOSSES if make_loss(name).log} == {"log_squared", "log_huber"}


@pytest.mark.parametrize("name", ["huber", "log_huber"])
def test_huber_delta_is_where_the_slope_stops_growing(name):
    loss = make_loss(name, 0.25)
    slopes = np.diff(loss.rho(np.linspace(0, 1, 101))) / 0.01
    assert slopes[-1] == pytest.approx(0.25)
    assert slopes[10] == pytest.approx(0.105, abs=1e-9)
