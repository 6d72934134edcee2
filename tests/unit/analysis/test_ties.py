"""Ties and shares of draws, counted by hand, and costs drawn by their standard errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from paretoken.analysis.resample import percentiles
from paretoken.analysis.ties import cost_draws, share_chosen, ties
from paretoken.costs.models.base import Cost
from paretoken.costs.models.flops import FLOPS_2NT
from paretoken.costs.models.on_device import LATENCY

ERRORS = np.array([[0.1, 0.2, 0.3], [0.2, 0.1, 0.3], [0.1, 0.2, 0.05], [0.1, 0.3, 0.2]])
COSTS = np.array([1.0, 2.0, 3.0])
N, V = np.array([1.0, 2.0]), np.array([4.0, 4.0])


def test_the_share_of_draws_is_counted_over_what_the_budget_allows():
    assert share_chosen(ERRORS, COSTS, 3.0, 0) == 0.5
    assert share_chosen(ERRORS, COSTS, 2.0, 0) == 0.75
    assert share_chosen(ERRORS, COSTS, 0.5, 0) == 0.0
    assert share_chosen(ERRORS[:0], COSTS, 3.0, 0) is None


def test_of_equal_errors_the_cheapest_is_the_best():
    equal = np.full((4, 3), 0.5)
    assert share_chosen(equal, COSTS[::-1], 3.0, 2) == 1.0
    assert share_chosen(equal, COSTS[::-1], 3.0, 0) == 0.0


def test_a_cost_that_may_exceed_the_budget_is_not_chosen_in_every_draw():
    errors = np.tile([0.1, 0.2], (2, 1))
    costs = np.array([[1.0, 1.0], [3.0, 1.0]])
    assert share_chosen(errors, costs, 2.0, 0) == 0.5
    assert share_chosen(errors, costs, 2.0, 1) == 0.5


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.9, 2.1, 4.0])
def test_a_tie_is_an_interval_of_the_difference_that_holds_zero(shift):
    generator = np.random.default_rng(1)
    errors = np.stack([generator.normal(size=500), generator.normal(shift, 1, 500)], axis=1)
    low, high = percentiles(errors[:, 1] - errors[:, 0])
    assert ties(errors, 0).tolist() == [True, low <= 0 <= high]
    assert ties(errors[:0], 0) is None


def test_errors_that_move_together_are_not_a_tie():
    shared = np.random.default_rng(2).normal(size=500)
    assert ties(np.stack([shared, shared + 0.01], axis=1), 0).tolist() == [True, False]


def test_equal_means_are_called_different_as_often_as_chance_allows():
    """Draws of both errors around estimates that are themselves off by as much."""
    generator = np.random.default_rng(3)
    told = 0
    for _ in range(400):
        errors = generator.normal(generator.normal(size=2), 1, (400, 2))
        told += not ties(errors, 0)[1]
    assert told <= binom.ppf(1 - 1e-3, 400, 0.05)


def test_arithmetic_has_no_noise_and_measurements_have_what_their_table_says():
    assert cost_draws(Cost(FLOPS_2NT), N, V, 0.0, 5) is None
    spread = replace(
        LATENCY,
        needs=(),
        evaluate=lambda d, n, v, q: n,
        spread=lambda d, n, v, q: np.array([0.1, np.nan]),
    )
    drawn = cost_draws(Cost(spread), N, V, 0.0, 4000)
    assert drawn.shape == (4000, 2)
    assert drawn[:, 0].std() == pytest.approx(0.1, rel=0.05)
    assert (drawn[:, 1] == 2.0).all(), "what is not known is taken as exact"
