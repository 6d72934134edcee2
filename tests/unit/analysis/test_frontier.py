"""The frontier against brute force by plain loops, and crossovers against the closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.analysis.closed_form_optimum import best_tokens
from paretoken.analysis.crossovers import crossovers
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import (
    by_preference,
    configurations,
    default_budgets,
    frontier,
    undominated,
)
from paretoken.costs.models.base import Cost, Deployment
from paretoken.costs.models.flops import FLOPS_2NT
from paretoken.errors import UserError
from paretoken.registry import LAWS

COLUMNS = ["text_tokens", "budget", "params_b", "visual_tokens", "cost", "error", "on_pareto"]
VISUAL = {"K": 0.5571, "D": 0.0333, "alpha": 0.0747, "beta": 0.0162}


def fit_of(law="product", draws=(), q=None, **parameters):
    record = {
        "law": law,
        "parameters": parameters or VISUAL,
        "intervals": {},
        "draws": list(draws),
        "noise_draws": [0.0] * len(draws),
        "rmse": 0.004,
        "data": {"levels": {"N": [0.5, 1.8, 4, 7], "V": [1, 4, 16, 36, 64, 144, 576]}},
        "text_tokens_in_law": q,
    }
    return FittedLaw.from_record(record)


def cost(N, V, Q):
    return 2e9 * N * (Q + V)


def brute_force(error, sizes, tokens, Q, budget):
    """The best affordable (N, V): lower error, then lower FLOPs, then larger N."""
    best = None
    for N in sizes:
        for V in tokens:
            rank = (error(N, V), cost(N, V, Q), -N)
            if cost(N, V, Q) <= budget and (best is None or rank < best[0]):
                best = (rank, N, V)
    return best and (best[1], best[2])


EXPONENT = st.floats(0, 0.6)
SIZE_SETS = st.lists(
    st.sampled_from([0.5, 1.0, 1.5, 2.0, 4.0, 7.0, 14.0]), min_size=1, max_size=6, unique=True
)
TOKEN_SETS = st.lists(
    st.sampled_from([1.0, 2.0, 4.0, 9.0, 16.0, 36.0, 144.0, 576.0]), min_size=1, max_size=7, unique=True
)


@given(sizes=SIZE_SETS, tokens=TOKEN_SETS, alpha=EXPONENT, beta=EXPONENT,
       Q=st.sampled_from([0.0, 25.0, 50.0, 200.0]), budgets=st.lists(st.floats(1e8, 1e14), min_size=1,
       max_size=5, unique=True))  # fmt: skip
def test_frontier_is_brute_force(sizes, tokens, alpha, beta, Q, budgets):
    fit = fit_of(K=0.5, D=0.1, alpha=alpha, beta=beta)
    table = frontier(fit, sizes, tokens, [Q], budgets)
    assert list(table["budget"]) == budgets
    for row in table.itertuples():
        expected = brute_force(lambda N, V: float(fit.predict(N, V, Q)), sizes, tokens, Q, row.budget)
        if expected is None:
            assert row.status == "infeasible"
            assert pd.isna(row.params_b)
            assert pd.isna(row.error)
            assert row.on_pareto is False or not row.on_pareto
        else:
            assert (row.params_b, row.visual_tokens) == expected
            assert row.cost == pytest.approx(cost(*expected, Q))
            assert row.cost <= row.budget
            assert row.error == pytest.approx(float(fit.predict(*expected, Q)), rel=1e-12)
            assert row.on_pareto, "the best under a budget is undominated"


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=25)
)
def test_undominated_is_its_definition(points):
    """Small whole numbers, so that ties are common."""
    table = pd.DataFrame(points, columns=["cost", "error", "params_b"]).astype(float)

    def dominated(a):
        return any(
            b.cost <= a.cost and b.error <= a.error and (b.cost < a.cost or b.error < a.error)
            for b in table.itertuples()
        )

    expected = {(a.cost, a.error) for a in table.itertuples() if not dominated(a)}
    found = undominated(table)
    assert list(zip(found["cost"], found["error"], strict=True)) == sorted(expected)
    for row in found.itertuples():
        same = table[(table["cost"] == row.cost) & (table["error"] == row.error)]
        assert row.params_b == same["params_b"].max(), "of equals the larger N"


def test_ties_go_to_lower_error_then_lower_cost_then_larger_n():
    table = pd.DataFrame(
        {"error": [0.5, 0.4, 0.4, 0.4], "cost": [1.0, 3.0, 2.0, 2.0], "params_b": [1.0, 9.0, 2.0, 4.0]}
    )
    ranked = by_preference(table)
    assert ranked["params_b"].tolist() == [4.0, 2.0, 9.0, 1.0]


def test_a_flat_law_takes_the_cheapest():
    """Every configuration has the same error: the cheapest wins, not the first listed."""
    table = frontier(fit_of(K=0.5, D=0.0, alpha=0.0, beta=0.0), [7, 4], [16, 4], [0], [1e15])
    assert table[["params_b", "visual_tokens"]].to_numpy().tolist() == [[4, 4]]


def test_equal_error_and_cost_take_the_larger_model():
    """alpha = beta at Q = 0: N V = 16 three ways, the same error and the same cost."""
    table = frontier(fit_of(K=0.5, D=0.0, alpha=1.0, beta=1.0), [1, 4, 16], [1, 4, 16], [0], [33e9])
    assert table[["params_b", "visual_tokens"]].to_numpy().tolist() == [[16, 1]]


def test_columns_and_rows():
    table = frontier(fit_of(), [0.5, 7], [1, 576], [0, 50], [1e9, 1e12, 1e13])
    assert set(COLUMNS) <= set(table.columns)
    assert len(table) == 6
    assert table["text_tokens"].tolist() == [0, 0, 0, 50, 50, 50]


def test_infeasible_budgets_are_rows_that_say_so():
    table = frontier(fit_of(), [7], [576], [50], [1.0, 1e15])
    assert table["status"].tolist() == ["infeasible", "ok"]
    assert table.loc[0, ["params_b", "visual_tokens", "cost", "error"]].isna().all()
    assert table["on_pareto"].tolist() == [False, True]
    only = frontier(fit_of(), [7], [576], [50], [1.0])
    assert only["status"].tolist() == ["infeasible"]


@pytest.mark.parametrize(("N", "V", "Q"), [(0.5, 1, 0), (1.8, 36, 50), (7, 576, 25), (14, 144, 200)])
def test_a_budget_equal_to_the_cost_is_enough(N, V, Q):
    exactly = frontier(fit_of(), [N], [V], [Q], [2e9 * N * (Q + V)])
    assert exactly["status"].tolist() == ["ok"]
    short = frontier(fit_of(), [N], [V], [Q], [2e9 * N * (Q + V) * (1 - 1e-9)])
    assert short["status"].tolist() == ["infeasible"]


def test_a_budget_equal_to_the_cost_is_enough_whatever_the_rounding():
    assert frontier(fit_of(), [1.07], [14], [0], [29_960_000_000.0])["status"].tolist() == ["ok"]


def test_a_larger_budget_is_never_worse():
    table = frontier(fit_of(), [0.5, 1.8, 4, 7], [1, 4, 16, 36, 64, 144, 576], [0, 50, 100])
    for _, group in table.groupby("text_tokens"):
        errors = group.sort_values("budget")["error"].dropna()
        assert (errors.diff().dropna() <= 0).all()


def test_default_budgets_span_the_configurations():
    fit = fit_of()
    sizes, tokens = [0.5, 7], [1, 576]
    tables = [configurations(fit, sizes, tokens, Q) for Q in (0, 50)]
    budgets = default_budgets(tables)
    assert budgets[0] == pytest.approx(cost(0.5, 1, 0))
    assert budgets[-1] == cost(7, 576, 50)
    assert np.diff(np.log(budgets)) == pytest.approx(np.log(budgets[1] / budgets[0]))
    assert frontier(fit, sizes, tokens, [0, 50])["budget"].nunique() == len(budgets)


def test_the_dearest_default_budget_buys_everything():
    table = frontier(fit_of(), [0.5, 1.1, 7], [1, 36, 576], [50])
    assert table.iloc[-1][["params_b", "visual_tokens"]].tolist() == [7, 576]


def test_v_star_is_in_each_row():
    table = frontier(fit_of(), [7], [1, 576], [0, 50], [1e13])
    assert table["v_star"].tolist() == pytest.approx([1, 0.0162 * 50 / (0.0747 - 0.0162)])
    additive = fit_of("additive", E=0.1, A=0.3, B=0.1, alpha=0.3, beta=0.2)
    assert frontier(additive, [7], [1, 576], [50], [1e13])["v_star"].isna().all()
    assert best_tokens(additive, 50, 1, 576) is None


def test_a_law_of_all_tokens_has_no_closed_form_where_the_text_is_cached():
    """By hand: at 1e12 FLOPs 500B with one token err less than 0.87B with 576."""
    fit = fit_of("product_q_plus_v", q=500.0, K=1.0, D=0.0, alpha=0.1, beta=0.2)
    cached = Cost(FLOPS_2NT, Deployment(cached_text=True))
    assert best_tokens(fit, 500.0, 1, 576).value == 576
    assert best_tokens(fit, 500.0, 1, 576, cached) is None
    errors = [float(fit.predict(1e12 / (2e9 * V), V, 500.0)) for V in (1, 576)]
    assert errors[0] < errors[1]
    assert best_tokens(fit_of(), 500.0, 1, 576, cached).value == 1


def test_dense_frontier_agrees_with_v_star():
    """With sizes and tokens on fine ladders the discrete optimum is the closed form."""
    fit, star = fit_of(), 0.0162 * 50 / (0.0747 - 0.0162)
    sizes, tokens = np.geomspace(0.1, 100, 1500), np.geomspace(1, 576, 300)
    row = frontier(fit, sizes, tokens, [50], [1e12]).iloc[0]
    assert row["v_star"] == pytest.approx(star)
    assert row["visual_tokens"] == pytest.approx(star, rel=0.3), "the optimum is shallow"
    continuous = float(fit.predict(1e12 / (2e9 * (50 + star)), star))
    assert continuous <= row["error"] <= continuous * (1 + 5e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], [1], [0], [1e12]), "--params-b must be positive numbers"),
        (([7], [], [0], [1e12]), "--tokens must be positive numbers"),
        (([7], [0], [0], [1e12]), "--tokens must be positive numbers"),
        (([-7], [1], [0], [1e12]), "--params-b must be positive numbers"),
        (([np.nan], [1], [0], [1e12]), "--params-b must be positive numbers"),
        (([7], [np.inf], [0], [1e12]), "--tokens must be positive numbers"),
        (([7], [1], [-1], [1e12]), "text tokens must be 0 or more"),
        (([7], [1], [], [1e12]), "--text-tokens wants at least one"),
        (([7], [1], [0], []), "--budget must be positive numbers"),
        (([7], [1], [0], [0.0]), "--budget must be positive numbers"),
        (([7], [1], [0], [np.nan]), "--budget must be positive numbers"),
    ],
)
def test_values_out_of_range_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        frontier(fit_of(), *arguments)


def test_intervals_are_quantiles_of_the_draws():
    draws = [[k, 0.0, 0.1, 0.05] for k in np.linspace(0.4, 0.6, 1001)]
    table = configurations(fit_of(draws=draws), [2.0], [16.0], 50)
    scale = 2.0**-0.1 * 16**-0.05
    assert table["error_low"].iloc[0] == pytest.approx(0.405 * scale, rel=1e-3)
    assert table["error_high"].iloc[0] == pytest.approx(0.595 * scale, rel=1e-3)
    assert configurations(fit_of(), [2.0], [16.0], 50)[["error_low", "error_high"]].isna().all(axis=None)


# --- crossovers -------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "beta"), [(0.077, 0.015), (0.0747, 0.0162), (0.071, 0.0151)])
@pytest.mark.parametrize("Q", [25.0, 50.0, 100.0])
def test_crossover_is_the_closed_form(alpha, beta, Q):
    """Notes on the paper, 1.4: V7 = 3 Q / (4 r - 7) and V4 = r V7, with r = (7/4)^(alpha/beta)."""
    fit = fit_of(K=0.5571, D=0.0333, alpha=alpha, beta=beta)
    (row,) = crossovers(fit, [4, 7], [1, 576], [Q]).to_dict("records")
    r = (7 / 4) ** (alpha / beta)
    assert row["large_visual_tokens"] == pytest.approx(3 * Q / (4 * r - 7), rel=1e-9)
    assert row["small_visual_tokens"] == pytest.approx(r * 3 * Q / (4 * r - 7), rel=1e-9)


def test_values_of_fig_3a():
    table = crossovers(fit_of(K=0.5571, D=0.0333, alpha=0.077, beta=0.015), [4, 7], [1, 576], [100, 50])
    assert table["large_visual_tokens"].tolist() == pytest.approx([4.7, 2.35], abs=0.03)
    assert table["small_visual_tokens"].tolist() == pytest.approx([83, 41.6], abs=0.5)


@given(alpha=st.floats(0.02, 0.5), beta=st.floats(0.005, 0.5), Q=st.floats(0, 200), D=st.floats(0, 0.3))
def test_error_and_cost_are_equal_at_a_crossover(alpha, beta, Q, D):
    fit = fit_of(K=0.5, D=D, alpha=alpha, beta=beta)
    table = crossovers(fit, [1.8, 4, 7], [1, 576], [Q])
    assert table[["small_params_b", "large_params_b"]].to_numpy().tolist() == [[1.8, 4], [4, 7]]
    for row in table.dropna().itertuples():
        small = float(fit.predict(row.small_params_b, row.small_visual_tokens))
        large = float(fit.predict(row.large_params_b, row.large_visual_tokens))
        assert small == pytest.approx(large, rel=1e-9)
        assert small == pytest.approx(row.error, rel=1e-9)
        for N, V in (
            (row.small_params_b, row.small_visual_tokens),
            (row.large_params_b, row.large_visual_tokens),
        ):
            assert cost(N, V, Q) == pytest.approx(row.cost, rel=1e-9)
            assert 1 - 1e-9 <= V <= 576 * (1 + 1e-9)


def test_below_the_crossover_the_smaller_model_is_better():
    fit, Q = fit_of(), 100.0
    row = crossovers(fit, [4, 7], [1, 576], [Q]).iloc[0]
    for factor, sign in ((0.98, -1), (1.02, 1)):
        gflops = factor * row["cost"] / 2e9
        gain = float(fit.predict(4, gflops / 4 - Q) - fit.predict(7, gflops / 7 - Q))
        assert np.sign(gain) == sign


def test_without_text_there_is_no_crossover():
    row = crossovers(fit_of(), [4, 7], [1, 576], [0.0]).iloc[0]
    assert row[["small_visual_tokens", "large_visual_tokens", "cost", "error"]].isna().all()


@pytest.mark.parametrize("law", list(LAWS))
def test_every_law_gives_a_frontier_and_crossovers(law):
    values = {"c": 0.6, "a": 0.04, "b": 0.008, "E": 0.1, "A": 0.3, "B": 0.1} | VISUAL
    fit = fit_of(law, q=50.0, **{n: values[n] for n in LAWS.load(law).parameters})
    table = frontier(fit, [0.5, 1.8, 4, 7], [1, 16, 576], [0, 50])
    assert (table["status"] == "ok").any()
    assert len(crossovers(fit, [0.5, 1.8, 4, 7], [1, 576], [0, 50])) == 6


def test_both_intervals_and_that_of_v_star_are_in_the_table(published_record):
    fit = FittedLaw.from_record(published_record)
    table = frontier(fit, [0.5, 7], [1, 576], [50], [1e12])
    row = table.iloc[0]
    low, high = fit.measurement_interval(row["params_b"], row["visual_tokens"], 50)
    shown = [row["measured_low"], row["measured_high"]]
    assert shown == pytest.approx([float(low), float(high)], rel=1e-12)
    assert row["measured_low"] < row["error_low"] < row["error"] < row["error_high"]
    assert row["measured_high"] > row["error_high"]
    of_fit = published_record["intervals"]["v_star"]["50"]
    assert row[["v_star_low", "v_star_high"]].tolist() == pytest.approx([of_fit["low"], of_fit["high"]])
