"""V* in closed form against a fine numeric search at fixed cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.analysis.closed_form_optimum import optimal_tokens
from paretoken.registry import LAWS

PRODUCT = LAWS.load("product")
FINE = np.geomspace(1, 576, 200_001)


def searched(error, cost, Q):
    """The V on a fine ladder at which ``error`` is lowest, N being what the cost leaves."""
    return FINE[np.argmin(error(cost / (Q + FINE), FINE))]


@given(
    alpha=st.floats(0.01, 1.0),
    beta=st.floats(0.01, 1.0),
    Q=st.floats(0, 300),
    cost=st.floats(1, 1e4),
    D=st.floats(0, 1),
)
def test_formula_is_the_numeric_optimum_at_every_cost(alpha, beta, Q, cost, D):
    def error(N, V):
        return 0.5 * N**-alpha * V**-beta + D

    found = float(optimal_tokens(PRODUCT, alpha / beta, Q, 1, 576))
    assert 1 <= found <= 576
    best = error(cost / (Q + searched(error, cost, Q)), searched(error, cost, Q))
    assert error(cost / (Q + found), found) <= best * (1 + 1e-12)


@given(a=st.floats(0.01, 0.1), b=st.floats(0.001, 0.1), Q=st.floats(0.5, 300))
def test_formula_holds_for_the_log_linear_law(a, b, Q):
    def error(N, V):
        return 0.6 - a * np.log(N) - b * np.log(V)

    found = float(optimal_tokens(LAWS.load("log_linear"), a / b, Q, 1, 576))
    assert found == pytest.approx(searched(error, 100.0, Q), rel=1e-3)


@pytest.mark.parametrize(("ratio", "expected"), [(4.0, 1.0), (0.5, 576.0), (1.0, 576.0)])
def test_where_text_is_inside_the_error_the_optimum_is_an_end(ratio, expected):
    """Cost and error share Q + V, so only N^-alpha (C/N)^-beta is left to minimise."""
    law = LAWS.load("product_q_plus_v")
    assert float(optimal_tokens(law, ratio, 50, 1, 576)) == expected

    def error(N, V):
        return N ** -(0.05 * ratio) * (50 + V) ** -0.05

    if ratio != 1:
        assert searched(error, 100.0, 50) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("alpha", "beta", "Q", "expected"),
    [(0.077, 0.015, 50, 12.1), (0.077, 0.015, 100, 24), (0.077, 0.015, 200, 48),
     (0.0747, 0.0162, 50, 13.8), (0.0747, 0.0162, 100, 28), (0.0747, 0.0162, 200, 55)],
)  # fmt: skip
def test_values_of_the_notes_on_the_paper(alpha, beta, Q, expected):
    assert float(optimal_tokens(PRODUCT, alpha / beta, Q, 1, 576)) == pytest.approx(expected, abs=0.5)


def test_without_text_the_smallest_count_is_best():
    assert optimal_tokens(PRODUCT, np.array([1.5, 5.0, np.inf]), 0, 1, 576).tolist() == [1, 1, 1]


def test_where_tokens_count_more_the_largest_is_best():
    assert optimal_tokens(PRODUCT, np.array([0.0, 0.72, 1.0]), 50, 1, 576).tolist() == [576] * 3


def test_a_law_whose_optimum_depends_on_the_budget_is_refused():
    with pytest.raises(ValueError, match="depends on the budget"):
        optimal_tokens(LAWS.load("additive"), 2.0, 50, 1, 576)


def test_the_additive_law_is_rightly_refused():
    """At two costs its numeric optimum differs, so no single V* exists."""

    def error(N, V):
        return 0.3 * N**-0.5 + 0.1 * V**-0.2

    assert searched(error, 1e2, 50) > 1.5 * searched(error, 1e4, 50) or (
        searched(error, 1e4, 50) > 1.5 * searched(error, 1e2, 50)
    )
