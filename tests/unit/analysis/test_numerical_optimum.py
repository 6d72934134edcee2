"""V* under any cost: the closed form under the paper's, brute force under others."""

from __future__ import annotations

import numpy as np
import pytest

from paretoken.analysis.closed_form_optimum import best_tokens
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.numerical_optimum import COLUMNS, error_slopes, middle, optimal_at, optimum_table
from paretoken.analysis.scenarios import scenarios
from paretoken.costs.models.base import Cost, CostModel
from paretoken.costs.models.deployment import Deployment
from paretoken.costs.models.paper import PAPER_COST
from paretoken.plan.study_shapes import guessed_shapes

SIZES = [0.5, 1.8, 4.0, 7.0]


@pytest.fixture
def fit(published_record):
    return FittedLaw.from_record(published_record)


def made(evaluate):
    return Cost(CostModel("made", "made", "units", "", evaluate))


@pytest.mark.parametrize("Q", [0.0, 25.0, 50.0, 200.0])
@pytest.mark.parametrize("N", [0.5, 4.0])
def test_under_the_papers_cost_it_is_the_closed_form_at_every_size(fit, N, Q):
    stars = optimal_at(error_slopes(fit, N, Q), PAPER_COST, N, Q)
    assert stars[0] == pytest.approx(best_tokens(fit, Q, 1, 576).value, rel=2e-3)
    assert len(stars) == 1 + len(fit.draws)


def test_under_another_cost_no_configuration_of_equal_cost_is_better(fit):
    def cost(deployment, N, V, Q):  # parameters are dear by themselves, tokens by their square
        return 1e3 * N + N * V + 0.05 * V**2 + Q

    counted = made(cost)
    N = 4.0
    V = float(optimal_at(error_slopes(fit, N, 0.0), counted, N, 0.0)[0])
    assert 1 < V < 576
    budget = float(counted(N, V, 0.0))
    tokens = np.geomspace(1, 576, 4000)
    sizes = (budget - 0.05 * tokens**2) / (1e3 + tokens)  # solved for N
    inside = sizes > 0
    best = tokens[inside][np.argmin(fit.predict(sizes[inside], tokens[inside]))]
    assert pytest.approx(best, rel=0.02) == V


def test_tokens_that_cost_nothing_are_taken_to_the_last_and_dear_ones_not_at_all(fit):
    free = made(lambda d, N, V, Q: N)
    dear = made(lambda d, N, V, Q: N**0.01 * V**9)
    slopes = error_slopes(fit, 4.0, 0.0)
    assert optimal_at(slopes, free, 4.0, 0.0)[0] == pytest.approx(576)
    assert optimal_at(slopes, dear, 4.0, 0.0)[0] == pytest.approx(1)


def test_an_unknown_optimum_is_nan(fit):
    unknown = made(lambda d, N, V, Q: np.full_like(N, np.nan))
    assert np.isnan(optimal_at(error_slopes(fit, 4.0, 0.0), unknown, 4.0, 0.0)).all()


def test_the_ends_of_the_known_sizes_have_a_slope_too(fit):
    def partly(deployment, N, V, Q):
        return np.where((N >= 0.5) & (N <= 7.0), PAPER_COST(N, V, Q), np.nan)

    for N in (0.5, 7.0):
        stars = optimal_at(error_slopes(fit, N, 50.0), made(partly), N, 50.0)
        assert stars[0] == pytest.approx(best_tokens(fit, 50.0, 1, 576).value, rel=5e-3)


def test_the_table_has_a_row_per_way_and_size(fit):
    ways = scenarios(Deployment(guessed_shapes(SIZES, "tokenpacker")))
    table = optimum_table(fit, ways, SIZES, [50.0])
    assert list(table.columns) == COLUMNS
    assert len(table) == len(ways) * len(SIZES)
    stars = table.pivot_table(index="scenario", columns="params_b", values="v_star")
    paper = stars.loc["2N(Q + V)"]
    np.testing.assert_allclose(paper, paper.iloc[0], rtol=1e-3)
    np.testing.assert_allclose(stars.loc["2N(Q + V), text cached"], 1, err_msg="Q = 0: the fewest")
    without, with_encoder = stars.loc["All FLOPs of the LLM"], stars.loc["+ vision encoder"]
    np.testing.assert_allclose(without, with_encoder, rtol=1e-3)  # a constant moves nothing
    assert (stars.loc["+ encoder, 256-token answer"] > stars.loc["+ encoder, 32-token answer"]).all()
    assert (table["v_star_low"] <= table["v_star"] * 1.001).all()


def test_without_draws_there_is_no_interval(published_record):
    bare = FittedLaw.from_record(published_record | {"draws": [], "noise_draws": []})
    table = optimum_table(bare, scenarios(Deployment()), [4.0], [50.0])
    assert table["v_star_low"].isna().all()
    assert table["v_star"].notna().all()


def test_under_the_papers_cost_it_is_the_number_of_the_fit_and_of_every_page(published_record):
    fit = FittedLaw.from_record(published_record)
    (first, *_) = optimum_table(fit, scenarios(Deployment())[:1], [7.0], [50.0]).to_dict("records")
    interval = published_record["intervals"]["v_star"]["50"]
    shown = [first["v_star"], first["v_star_low"], first["v_star_high"]]
    exact = [published_record["v_star"]["50"], interval["low"], interval["high"]]
    assert shown == pytest.approx(exact, rel=1e-6)


def test_ways_need_no_more_than_is_known():
    assert [way.cost.model.name for way in scenarios(Deployment())] == ["flops_2nt"] * 2
    names = [way.name for way in scenarios(Deployment(guessed_shapes(SIZES, "tokenpacker")))]
    assert len(set(names)) == len(names)
    assert "flops_exact-no_encoder" in names


@pytest.mark.parametrize(
    ("text", "expected"), [([0, 25, 50, 100, 200], 50), ([0], None), ([7], 7), ([16, 0, 4, 1], 4)]
)
def test_the_middle_of_the_text_tokens(text, expected):
    assert middle(text) == expected


def test_a_law_whose_ratio_depends_on_the_budget_works_too(published_record):
    record = published_record | {
        "law": "additive",
        "draws": [],
        "noise_draws": [],
        "parameters": {"E": 0.1, "A": 0.3, "B": 0.1, "alpha": 0.2, "beta": 0.1},
    }
    fit = FittedLaw.from_record(record)
    stars = [optimal_at(error_slopes(fit, N, 50.0), PAPER_COST, N, 50.0)[0] for N in SIZES]
    assert np.all(np.diff(stars) > 0), "the larger model's own error is small: tokens pay more"
