"""Verdicts follow from numbers: the published ones, and made-up ones that must turn them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paretoken.analysis.cells import CellData, Cells, Selection, read_cells
from paretoken.analysis.claims.base import (
    Interval,
    Verdict,
    judge_at_least,
    judge_number,
    rounding,
    widest_interval,
)
from paretoken.analysis.claims.ledger import ledger, page
from paretoken.analysis.comparison import fit_table, predictions, published_table
from paretoken.analysis.equal_cost import comparisons
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.sensitivity import sensitivity
from paretoken.analysis.study_results import PAPER_GRID, StudyResults
from paretoken.config import load
from paretoken.errors import UserError
from paretoken.report.summary import summary

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "workflow" / "reference"
LAWS = ("product", "product_zero_d", "log_linear")


def _fits(suite: str, data: CellData) -> dict[tuple[str, str], FittedLaw]:
    records = {f"{law}-all": fit_record(data, FitOptions(law=law, bootstrap=60)) for law in LAWS} | {
        PAPER_GRID: fit_record(data, FitOptions(method="grid"))
    }
    return {(suite, variant): FittedLaw.from_record(r) for variant, r in records.items()}


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """The published study with few bootstrap replicates."""
    table = REFERENCE / "published_errors.csv"
    fits: dict[tuple[str, str], FittedLaw] = {}
    for suite in ("visual_reasoning", "ocr"):
        fits |= _fits(suite, read_cells(table, Selection(suite=suite)))
    errors = pd.read_csv(table).assign(study="published", seed=0, stderr=np.nan)
    errors = errors[errors["suite"].isin(["visual_reasoning", "ocr"])]
    return StudyResults(
        frozen=load(ROOT / "config.yaml").freeze("published"),
        errors=errors.assign(flag=errors["flag"].fillna("")),
        fits=fits,
        values=pd.read_csv(REFERENCE / "published_values.csv"),
        table1=pd.read_csv(REFERENCE / "published_table1.csv"),
    )


def _with_suite(results: StudyResults, suite: str, Y: np.ndarray) -> StudyResults:
    """Return the results with other errors for one suite, refitted."""
    cells = results.cells(suite)
    N, V = cells["params_b"].to_numpy(float), cells["visual_tokens"].to_numpy(float)
    data = CellData(Cells(N, V, Y, np.ones(len(Y))), {"path": "", "sha256": "", "suite": suite}, [])
    others = results.errors[results.errors["suite"] != suite]
    errors = pd.concat([others, cells.assign(error=Y)], ignore_index=True)
    return replace(results, errors=errors, fits={**results.fits, **_fits(suite, data)})


def _only(results: StudyResults, claim: str) -> pd.Series:
    return ledger(results, [claim]).iloc[0]


def test_verdicts_on_the_published_numbers(results: StudyResults) -> None:
    table = ledger(results, results.study.claims).set_index("claim")
    assert table["verdict"].to_dict() == {
        "five_times_faster": Verdict.WITHIN,
        "visual_alpha": Verdict.WITHIN,
        "visual_beta": Verdict.WITHIN,
        "grid_optimum": Verdict.NOT,
        "largest_within_two_percent": Verdict.UNTESTABLE,
        "one_token_without_text": Verdict.HOLDS,
        "sixteen_tokens_at_fifty": Verdict.WITHIN,
        "optimal_tokens_grow_with_text": Verdict.HOLDS,
        "log_linear_in_tokens": Verdict.HOLDS,
        "ocr_reverses": Verdict.HOLDS,
        "ocr_alpha": Verdict.WITHIN,
        "ocr_beta": Verdict.WITHIN,
        "gap_mme_1": Verdict.NOT,
        "gap_mmb_1": Verdict.NOT,
        "gap_mme_4": Verdict.HOLDS,
        "gap_mmb_4": Verdict.HOLDS,
    }
    assert table.loc["five_times_faster", "value"] == pytest.approx(4.697, abs=1e-3)
    assert table.loc["grid_optimum", "value"] == pytest.approx(12, abs=1)
    assert table.loc["sixteen_tokens_at_fifty", "value"] == pytest.approx(13.5, abs=0.1)
    gaps = table["value"].filter(like="gap_").round(1).to_list()
    assert gaps == [2.7, 12.5, 26.2, 21.4]


def test_the_page_names_every_claim_and_verdict(results: StudyResults) -> None:
    table = ledger(results, results.study.claims)
    text = page(table, "published")
    for _, row in table.iterrows():
        assert row["statement"] in text
        assert row["because"] in text


def test_a_steeper_error_in_n_makes_five_times_faster_hold(results: StudyResults) -> None:
    cells = results.cells("visual_reasoning")
    Y = 0.6 * cells["params_b"].to_numpy(float) ** -0.2 * cells["visual_tokens"] ** -0.02
    row = _only(_with_suite(results, "visual_reasoning", Y.to_numpy()), "five_times_faster")
    assert row["verdict"] == Verdict.HOLDS
    assert row["value"] == pytest.approx(10, rel=1e-6)


def test_an_error_that_falls_with_v_alone_refutes_one_token(results: StudyResults) -> None:
    cells = results.cells("visual_reasoning")
    Y = 0.6 * cells["params_b"].to_numpy(float) ** -0.02 * cells["visual_tokens"] ** -0.2
    turned = _with_suite(results, "visual_reasoning", Y.to_numpy())
    assert _only(turned, "one_token_without_text")["verdict"] == Verdict.NOT
    assert _only(turned, "sixteen_tokens_at_fifty")["verdict"] == Verdict.NOT


def test_ocr_like_reasoning_does_not_reverse(results: StudyResults) -> None:
    cells = results.cells("ocr")
    Y = 0.9 * cells["params_b"].to_numpy(float) ** -0.1 * cells["visual_tokens"] ** -0.02
    assert _only(_with_suite(results, "ocr", Y.to_numpy()), "ocr_reverses")["verdict"] == Verdict.NOT


def test_a_measured_unseen_size_decides_the_two_percent(results: StudyResults) -> None:
    study = results.study.model_copy(update={"predict": ["qwen1.5-14b"]})
    fit = results.headline("visual_reasoning")
    for factor, verdict in ((1.01, Verdict.HOLDS), (1.05, Verdict.NOT)):
        row = results.errors[results.errors["suite"] == "visual_reasoning"].iloc[0]
        measured = row.to_dict() | {
            "llm": "qwen1.5-14b",
            "params_b": 14.0,
            "visual_tokens": 16,
            "error": float(fit.predict(14.0, 16.0)) * factor,
        }
        errors = pd.concat([results.errors, pd.DataFrame([measured])], ignore_index=True)
        frozen = results.frozen.model_copy(update={"study": study})
        with_14b = replace(results, errors=errors, frozen=frozen)
        assert _only(with_14b, "largest_within_two_percent")["verdict"] == verdict


def test_a_claim_without_its_ingredient_says_what_to_do(results: StudyResults) -> None:
    with pytest.raises(UserError, match="table1"):
        _only(replace(results, table1=results.table1.iloc[:0]), "gap_mme_1")
    with pytest.raises(UserError, match="quantity = exponent_ratio"):
        _only(replace(results, values=results.values.iloc[:0]), "five_times_faster")
    suites = [s for s in results.study.suites if s.role != "ocr"]
    study = results.study.model_copy(update={"suites": suites})
    without = replace(results, frozen=results.frozen.model_copy(update={"study": study}))
    with pytest.raises(UserError, match="role 'ocr'"):
        _only(without, "ocr_reverses")


@pytest.mark.parametrize(
    ("value", "interval", "identified", "verdict"),
    [
        (0.0771, Interval(0.07, 0.08), True, Verdict.HOLDS),
        (0.0771, Interval(0.07, 0.08), False, Verdict.WITHIN),
        (0.0779, Interval(0.07, 0.08), True, Verdict.WITHIN),
        (0.0779, Interval(0.07, math.inf), True, Verdict.WITHIN),
        (0.0779, Interval(0.0775, 0.08), True, Verdict.NOT),
        (0.0779, None, True, Verdict.NOT),
    ],
)
def test_judging_a_number(
    value: float, interval: Interval | None, identified: bool, verdict: Verdict
) -> None:
    assert judge_number(value, interval, 0.077, rounding(0.077), identified) == verdict


@pytest.mark.parametrize(
    ("value", "interval", "verdict"),
    [
        (5.5, Interval(5.0, 6.0), Verdict.HOLDS),
        (5.5, Interval(4.9, 6.0), Verdict.WITHIN),
        (11.3, Interval(0.0, math.inf), Verdict.WITHIN),
        (4.5, Interval(-math.inf, math.inf), Verdict.WITHIN),
        (4.9, Interval(4.0, 4.95), Verdict.NOT),
        (5.5, None, Verdict.HOLDS),
        (4.5, None, Verdict.NOT),
    ],
)
def test_judging_a_threshold(value: float, interval: Interval | None, verdict: Verdict) -> None:
    assert judge_at_least(value, interval, 5.0) == verdict


@pytest.mark.parametrize(("number", "half"), [(0.077, 0.0005), (12.0, 0.5), (0.5, 0.05)])
def test_rounding_is_half_a_unit_of_the_last_published_digit(number: float, half: float) -> None:
    assert rounding(number) == pytest.approx(half)


def test_the_widest_interval_covers_each_method(results: StudyResults) -> None:
    fit = results.headline("visual_reasoning")
    widest = widest_interval(fit, "alpha")
    assert widest is not None
    for method in ("residual", "points", "cluster"):
        ends = fit.record["intervals"]["alpha"][method]
        assert widest.covers(ends[0])
        assert widest.covers(ends[1])
    assert [widest.low, widest.high] == [fit.record["intervals"]["alpha"][e] for e in ("low", "high")]


def test_pure_noise_confirms_nothing(results: StudyResults) -> None:
    noise = 0.5 + 0.05 * np.random.default_rng(3).normal(size=28)
    noisy = _with_suite(results, "visual_reasoning", noise)
    for claim in ("five_times_faster", "log_linear_in_tokens", "visual_alpha"):
        assert _only(noisy, claim)["verdict"] != Verdict.HOLDS


def test_claims_about_the_product_refuse_another_headline_law(results: StudyResults) -> None:
    fit = results.study.fit.model_copy(update={"laws": ["log_linear"]})
    study = results.study.model_copy(update={"fit": fit})
    other = replace(results, frozen=results.frozen.model_copy(update={"study": study}))
    for claim in ("visual_alpha", "one_token_without_text", "five_times_faster", "ocr_reverses"):
        with pytest.raises(UserError, match="put product or product_zero_d first"):
            _only(other, claim)


def test_one_token_is_untestable_on_a_grid_without_it(results: StudyResults) -> None:
    fit = results.headline("visual_reasoning")
    levels = {"N": fit.record["data"]["levels"]["N"], "V": [16.0, 36.0, 576.0]}
    record = {**fit.record, "data": {**fit.record["data"], "levels": levels}}
    fits = {**results.fits, ("visual_reasoning", "product-all"): replace(fit, record=record)}
    row = _only(replace(results, fits=fits), "one_token_without_text")
    assert row["verdict"] == Verdict.UNTESTABLE


def test_tables_of_fits_published_values_and_predictions(results: StudyResults) -> None:
    fits = fit_table(results)
    assert len(fits) == len(results.fits)
    assert fits["suite"].iloc[0] == results.study.suites[0].name
    published = published_table(results).set_index(["suite", "variant", "quantity"])
    alpha = published.loc[("visual_reasoning", "product_zero_d-all", "alpha")]
    assert alpha["published"] == 0.077
    assert alpha["difference_in_se"] == pytest.approx(
        (0.077 - alpha["fitted"]) / alpha["standard_error"]
    )
    unseen = predictions(results)
    assert set(unseen["llm"]) == {"qwen1.5-14b"}
    curve = unseen.set_index(["suite", "visual_tokens"])["published_curve"]
    assert curve.loc[("visual_reasoning", 1)] == pytest.approx(0.4883, abs=4e-4)
    inside = (unseen["low"] <= unseen["predicted"]) & (unseen["predicted"] <= unseen["high"])
    assert inside.mean() > 0.9


def test_sensitivity_repeats_fits_done_by_hand(results: StudyResults) -> None:
    table = sensitivity(
        results, REFERENCE / "published_errors.csv", REFERENCE / "llm_dimensions.csv"
    ).set_index(["suite", "variant"])
    visual = table.loc["visual_reasoning"]
    headline = results.headline("visual_reasoning").parameters
    for name, value in headline.items():
        assert visual.loc["as fitted", name] == pytest.approx(value, rel=1e-9)
    assert visual.loc["N = all parameters", "alpha"] == pytest.approx(0.0673, abs=1e-4)
    assert visual.loc["N = non-embedding", "alpha"] == pytest.approx(0.0619, abs=1e-4)
    assert visual.loc["T = Q + V, Q = 50", "beta"] == pytest.approx(0.0338, abs=1e-4)
    assert visual.loc["without flagged cells", "n_points"] == 25
    assert "older values of 2 cell(s)" in visual.index
    reduced = results.cells("visual_reasoning")
    reduced = reduced[reduced["llm"] != "qwen1.5-7b"]
    data = Cells(*(reduced[c].to_numpy(float) for c in ("params_b", "visual_tokens", "error")),
                 weight=np.ones(len(reduced)))  # fmt: skip
    by_hand = fit_record(CellData(data, {"path": "", "sha256": ""}, []), FitOptions(bootstrap=0))
    assert visual.loc["without qwen1.5-7b", "alpha"] == pytest.approx(
        by_hand["parameters"]["alpha"], rel=1e-6
    )


def test_the_summary_answers_in_words(results: StudyResults) -> None:
    claims = ledger(results, results.study.claims)
    table = sensitivity(results, None, None)
    pairs = comparisons(results)
    text = summary(results, pairs, table, claims, [], "abc")
    assert "a larger model beats more visual tokens (alpha / beta = 4.70" in text
    assert "more visual tokens beat a larger model (alpha / beta = 0.72" in text
    for suite in ("visual_reasoning", "ocr"):
        own = pairs[pairs["suite"] == suite]
        assert f"errs less in {(own['lower'] == 'larger').sum()} of {len(own)} pairs" in text
    assert "No two sizes" in summary(results, pairs.iloc[:0], table, claims, [], "abc")
    assert "commit: abc" in text
    assert "changed_between_commits" in text
