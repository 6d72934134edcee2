"""The recommendation: the frontier's best, its runners-up, and its cautions."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, norm

from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import frontier
from paretoken.analysis.recommend import recommend
from paretoken.analysis.recommend_words import in_words
from paretoken.analysis.trade import Side, trade
from paretoken.cli import main
from paretoken.config.constraints import read_constraints
from paretoken.costs.models.base import Cost
from paretoken.costs.models.on_device import LATENCY
from paretoken.errors import UserError
from paretoken.io.text_tables import visual_tokens
from report_study import SUITES, finished_study

SIZES, TOKENS = [0.5, 1.8, 4.0, 7.0], [1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0]


@pytest.fixture
def fit(published_record):
    return FittedLaw.from_record(published_record)


@pytest.mark.parametrize("flops", [1e11, 1e12, 5e12])
@pytest.mark.parametrize("Q", [0.0, 50.0])
def test_it_is_the_frontiers_best(fit, flops, Q):
    answer = recommend(fit, flops, Q, SIZES, TOKENS)
    best = frontier(fit, SIZES, TOKENS, [Q], [flops]).iloc[0]
    for name in ("params_b", "visual_tokens", "cost", "error", "error_low", "error_high"):
        assert answer["recommended"][name] == best[name]
    assert answer["recommended"]["error_low"] < answer["recommended"]["error"]
    assert answer["recommended"]["error_high"] > answer["recommended"]["error"]


def test_runners_up_are_the_next_best_and_affordable(fit):
    answer = recommend(fit, 1e12, 50.0, SIZES, TOKENS, count=5)
    rows = [answer["recommended"], *answer["runners_up"]]
    assert len(rows) == 6
    assert [r["error"] for r in rows] == sorted(r["error"] for r in rows)
    assert all(r["cost"] <= 1e12 for r in rows)
    taken = {(r["params_b"], r["visual_tokens"]) for r in rows}
    others = [
        float(fit.predict(N, V))
        for N in SIZES
        for V in TOKENS
        if (N, V) not in taken and 2e9 * N * (50 + V) <= 1e12
    ]
    assert min(others) >= rows[-1]["error"]


def test_fewer_configurations_than_runners_up(fit):
    assert recommend(fit, 1e15, 0.0, [7], [1.0], count=3)["runners_up"] == []


def test_a_budget_too_small_names_the_cheapest(fit):
    with pytest.raises(UserError) as refused:
        recommend(fit, 1e6, 50.0, SIZES, TOKENS)
    assert "0.5B with 1 visual token at 51 GFLOPs" in str(refused.value)
    assert "raise the budget" in str(refused.value)


@pytest.mark.parametrize("flops", [0.0, -1.0, float("nan")])
def test_a_budget_must_be_positive(fit, flops):
    with pytest.raises(UserError, match="the budget must be greater than 0"):
        recommend(fit, flops, 50.0, SIZES, TOKENS)


def test_extrapolation_is_a_caution(fit):
    outside = " ".join(recommend(fit, 1e14, 50.0, [14.0], [1000.0])["cautions"])
    assert "14B lies outside the fitted sizes" in outside
    assert "The token count 1000 lies outside the fitted range 1 to 576" in outside
    inside = " ".join(recommend(fit, 1e14, 50.0, [4.0, 7.0], [1.0, 576.0])["cautions"])
    assert "outside" not in inside


def test_a_difference_within_its_noise_is_a_tie_and_a_clear_one_is_not(published_record):
    """Tokens that hardly differ are no tie: their difference is small, and so is its interval."""
    fit = FittedLaw.from_record(published_record)
    clear = recommend(fit, 1e14, 50.0, [7.0], [1.0, 576.0])
    assert [row["tie"] for row in clear["runners_up"]] == [False]
    assert clear["ties"] == 0
    assert "tie" not in in_words(clear)
    near = recommend(fit, 1e14, 50.0, [7.0], [570.0, 576.0])
    assert near["ties"] == 0, "the draws agree that more tokens err less"
    turned = dict(published_record, draws=[[*row[:3], 0.0] for row in published_record["draws"]])
    flat = recommend(FittedLaw.from_record(turned), 1e14, 50.0, [4.0, 7.0], [1.0, 576.0])
    tied = {(row["params_b"], row["visual_tokens"]): row["tie"] for row in flat["runners_up"]}
    assert tied == {(7, 1): True, (4, 1): False, (4, 576): False}
    assert "a tie" in in_words(flat)
    assert (
        "1 other affordable configuration is not distinguished from it (1 of them listed)"
        in in_words(flat)
    )


def without_effect(record):
    """Return what a fit says whose cells show no effect of V."""
    words = "The data show no significant effect of V."
    absent = record["effects"]["V"] | {"falls": False, "words": words}
    return {"effects": record["effects"] | {"V": absent}, "cautions": [words]}


def test_it_says_what_it_is_about(published_record):
    answer = recommend(FittedLaw.from_record(published_record), 1e12, 50.0, SIZES, TOKENS)
    assert answer["recommended"]["models"] == ["qwen1.5-7b"]
    words = in_words(answer)
    assert "use 7B (qwen1.5-7b) with" in words
    assert "The error is that of column error of" in words
    assert "published_errors.csv, suite visual_reasoning" in words
    assert "made by tokenpacker" in words
    nothing = dict(published_record, data={"levels": published_record["data"]["levels"]})
    plain = in_words(recommend(FittedLaw.from_record(nothing), 1e12, 50.0, SIZES, TOKENS))
    assert "The error is that of column error of its table." in plain


def test_it_finds_the_study_in_whose_folder_the_fit_lies(tmp_path, capsys):
    study = finished_study(tmp_path, suites=SUITES[:1], laws=["product"])
    fit = study.folder / "fits" / "scenes" / "product-all.json"
    assert main(["recommend", "--fit", str(fit), "--budget-flops", "1e12", "--text-tokens", "50"]) == 0
    assert "The error is that of Scenes of study demo." in capsys.readouterr().out


def test_a_measured_cost_that_may_exceed_the_budget_is_not_best_in_every_draw(fit):
    """The best one costs 1 ms less than the budget, give or take 1 ms; the other far less."""
    model = replace(LATENCY, needs=(), evaluate=lambda d, n, v, q: np.where(n == 7, 9.0, 1.0))
    noisy = replace(model, spread=lambda d, n, v, q: np.ones(len(n)))
    exact = recommend(fit, 10.0, 50.0, [0.5, 7.0], [16.0], cost=Cost(model))
    assert exact["chosen_in_draws"] == 1.0
    assert exact["draws_include"] == ["law"]
    assert "uncertainty of the law's parameters only" in in_words(exact)
    answer = recommend(fit, 10.0, 50.0, [0.5, 7.0], [16.0], cost=Cost(noisy))
    low, high = (binom.ppf(p, 200, norm.cdf(1)) / 200 for p in (1e-3, 0.999))
    assert low <= answer["chosen_in_draws"] <= high
    assert answer["recommended"]["cost_high"] == pytest.approx(9 + 1.96, rel=1e-3)
    assert "9 ms (95 % 7.04 to 10.96)" in in_words(answer)
    assert "noise of the measured cost" in in_words(answer)


def test_an_absent_effect_is_a_caution(published_record):
    fit = FittedLaw.from_record(published_record | without_effect(published_record))
    assert (
        "The data show no significant effect of V."
        in recommend(fit, 1e12, 50.0, SIZES, TOKENS)["cautions"]
    )


def test_what_differs_only_in_what_has_no_effect_is_a_tie(published_record):
    """Exponents are never negative: without this, more tokens would look better in every draw."""
    fit = FittedLaw.from_record(published_record | without_effect(published_record))
    answer = recommend(fit, 1e14, 50.0, [4.0, 7.0], [1.0, 576.0])
    tied = {(row["params_b"], row["visual_tokens"]): row["tie"] for row in answer["runners_up"]}
    assert tied == {(7, 1): True, (4, 1): False, (4, 576): False}
    assert not answer["v_star_determined"] or trade(fit.record).side is Side.LARGER


def test_the_limits_of_the_choice_do_not_move_the_best_number_of_tokens(fit):
    """V* is the fit's: a user who allows 64 tokens and more is not told that 64 are best anywhere."""
    few = recommend(fit, 1e13, 50.0, [7.0], [64.0, 144.0])
    assert few["v_star"] == recommend(fit, 1e13, 50.0, SIZES, TOKENS)["v_star"]


def test_doubts_about_the_law_are_cautions(published):
    record = fit_record(published("ocr"), FitOptions(bootstrap=20, compare=True))
    cautions = " ".join(recommend(FittedLaw.from_record(record), 1e12, 50.0, SIZES, TOKENS)["cautions"])
    assert "product leaves a pattern over N and V in the residuals" in cautions
    tied = FitOptions(bootstrap=20, constraints=read_constraints("product", ["alpha=beta"]))
    answer = recommend(FittedLaw.from_record(fit_record(published(), tied)), 1e12, 50.0, SIZES, TOKENS)
    assert "The cells contradict alpha = beta" in " ".join(answer["cautions"])
    assert not answer["v_star_determined"]
    assert "would not determine the best number of visual tokens" in in_words(answer)
    assert "product law with alpha = beta" in in_words(answer)


def test_an_impossible_error_is_a_caution(published):
    record = fit_record(published(), FitOptions(bootstrap=20))
    beyond = recommend(FittedLaw.from_record(record), 1e14, 50.0, [1e-6], [1.0])
    assert beyond["recommended"]["error"] > 1
    assert any(sentence.startswith("An error above 1 is impossible") for sentence in beyond["cautions"])
    losses = fit_record(published(), FitOptions(bootstrap=20, losses=True))
    plain = recommend(FittedLaw.from_record(losses), 1e14, 50.0, [1e-6], [1.0])
    assert plain["recommended"]["error_high"] > plain["recommended"]["error"] > 1
    assert not any("is impossible" in sentence for sentence in plain["cautions"])


def test_words_and_json_say_the_same(fit):
    answer = recommend(fit, 1e12, 50.0, SIZES, TOKENS)
    words, best = in_words(answer), answer["recommended"]
    assert f"use {best['params_b']:g}B (qwen1.5-7b) with {visual_tokens(best['visual_tokens'])}" in words
    assert f"{best['error']:.4f} (95 % intervals: of the mean {best['error_low']:.4f} to" in words
    assert f"of a new measurement {best['measured_low']:.4f} to {best['measured_high']:.4f})" in words
    star = f"{answer['v_star']:.3g} visual tokens (95 % interval {answer['v_star_low']:.3g} to"
    assert star in words
    assert words.count("\n  ") == len(answer["runners_up"])
    assert "visual_reasoning" in words
    json.dumps(answer, allow_nan=False)


def test_without_draws_there_is_no_interval(published_record):
    bare = FittedLaw.from_record(published_record | {"draws": [], "noise_draws": []})
    answer = recommend(bare, 1e12, 50.0, SIZES, TOKENS)
    assert answer["recommended"]["error_low"] is None
    assert "interval" not in in_words(answer)


def test_a_law_that_came_out_constant_recommends_with_a_warning(published_record):
    flat = published_record | {
        "parameters": {"K": 0.0, "D": 0.5, "alpha": 0.0, "beta": 0.0},
        "alpha_over_beta": None,
        "v_star": None,
        "draws": [],
        "noise_draws": [],
    }
    answer = recommend(FittedLaw.from_record(flat), 1e12, 50.0, SIZES, TOKENS)
    assert answer["recommended"]["visual_tokens"] == min(TOKENS)
    assert answer["v_star"] is None
    assert "falls neither with model size nor with visual tokens" in in_words(answer)


def test_an_error_below_zero_is_a_caution(published_record):
    record = published_record | {
        "law": "log_linear",
        "draws": [],
        "noise_draws": [],
        "parameters": {"c": 0.5, "a": 0.1, "b": 0.01},
    }
    answer = recommend(FittedLaw.from_record(record), 1e30, 50.0, [5000.0], TOKENS)
    assert answer["recommended"]["error"] < 0
    assert "An error below 0 is impossible" in in_words(answer)


def test_a_law_without_closed_form_says_nothing_about_it(published_record):
    record = published_record | {
        "law": "additive",
        "draws": [],
        "noise_draws": [],
        "parameters": {"E": 0.1, "A": 0.3, "B": 0.1, "alpha": 0.2, "beta": 0.1},
    }
    answer = recommend(FittedLaw.from_record(record), 1e12, 50.0, SIZES, TOKENS)
    assert answer["v_star"] is None
    assert "If models of every size were available" not in in_words(answer)
