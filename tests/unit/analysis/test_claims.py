"""Verdicts follow from numbers: the published ones, and made-up ones that must turn them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paretoken.analysis.cells import CellData, Cells, Selection, read_cells
from paretoken.analysis.claims.base import interval_of
from paretoken.analysis.claims.ledger import ledger, page
from paretoken.analysis.claims.verdicts import (
    Interval,
    Region,
    Verdict,
    about,
    above,
    at_most,
    below,
    judge,
    rounding,
)
from paretoken.analysis.comparison import fit_table, predictions, published_table
from paretoken.analysis.equal_cost import comparisons
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.sensitivity import sensitivity
from paretoken.analysis.study_results import StudyResults
from paretoken.config.config import load
from paretoken.config.constraints import Constraints, read_constraints
from paretoken.errors import UserError
from paretoken.report.summary import summary
from paretoken.study.published import PAPER_GRID

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "workflow" / "reference"
LAWS = ("product", "product_zero_d", "log_linear")
EXPONENT_CLAIMS = (
    "five_times_faster", "visual_alpha", "visual_beta", "one_token_without_text",
    "sixteen_tokens_at_fifty", "optimal_tokens_grow_with_text", "ocr_reverses", "ocr_alpha", "ocr_beta",
)  # fmt: skip


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
        "five_times_faster": Verdict.UNDECIDED,
        "visual_alpha": Verdict.UNDECIDED,
        "visual_beta": Verdict.UNDECIDED,
        "grid_optimum": Verdict.FAILS,
        "largest_within_two_percent": Verdict.UNTESTABLE,
        "one_token_without_text": Verdict.HOLDS,
        "sixteen_tokens_at_fifty": Verdict.UNDECIDED,
        "optimal_tokens_grow_with_text": Verdict.HOLDS,
        "log_linear_in_tokens": Verdict.HOLDS,
        "ocr_reverses": Verdict.HOLDS,
        "ocr_alpha": Verdict.UNDECIDED,
        "ocr_beta": Verdict.UNDECIDED,
        "gap_mme_1": Verdict.FAILS,
        "gap_mmb_1": Verdict.FAILS,
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


@pytest.mark.parametrize(
    ("beta", "verdict"), [(0.02, Verdict.FAILS), (0.04, Verdict.HOLDS), (0.06, Verdict.FAILS)]
)
def test_five_times_faster_is_five_within_ten_percent(
    results: StudyResults, beta: float, verdict: Verdict
) -> None:
    cells = results.cells("visual_reasoning")
    Y = 0.6 * cells["params_b"].to_numpy(float) ** -0.2 * cells["visual_tokens"] ** -beta
    row = _only(_with_suite(results, "visual_reasoning", Y.to_numpy()), "five_times_faster")
    assert row["verdict"] == verdict
    assert row["value"] == pytest.approx(0.2 / beta, rel=1e-6)
    assert row["claimed"] == "5, within 10 %: 4.5 to 5.5"


def test_an_error_that_falls_with_v_alone_refutes_one_token(results: StudyResults) -> None:
    cells = results.cells("visual_reasoning")
    Y = 0.6 * cells["params_b"].to_numpy(float) ** -0.02 * cells["visual_tokens"] ** -0.2
    turned = _with_suite(results, "visual_reasoning", Y.to_numpy())
    assert _only(turned, "one_token_without_text")["verdict"] == Verdict.FAILS
    assert _only(turned, "sixteen_tokens_at_fifty")["verdict"] == Verdict.FAILS


def test_ocr_like_reasoning_does_not_reverse(results: StudyResults) -> None:
    cells = results.cells("ocr")
    Y = 0.9 * cells["params_b"].to_numpy(float) ** -0.1 * cells["visual_tokens"] ** -0.02
    assert _only(_with_suite(results, "ocr", Y.to_numpy()), "ocr_reverses")["verdict"] == Verdict.FAILS


@pytest.mark.parametrize(
    ("noise", "factor", "verdict"),
    [
        (1e-4, 1.01, Verdict.HOLDS),
        (1e-4, 1.05, Verdict.FAILS),
        (4e-3, 1.01, Verdict.HOLDS),
        (4e-3, 1.018, Verdict.UNDECIDED),
        (4e-3, 1.20, Verdict.FAILS),
    ],
)
def test_a_measured_unseen_size_decides_the_two_percent(
    results: StudyResults, noise: float, factor: float, verdict: Verdict
) -> None:
    """As far as the noise of the cells and the doubt about the law allow."""
    cells = results.cells("visual_reasoning")
    exact = 0.6 * cells["params_b"].to_numpy(float) ** -0.08 * cells["visual_tokens"] ** -0.02
    Y = exact.to_numpy() + noise * np.random.default_rng(2).normal(size=len(cells))
    known = _with_suite(results, "visual_reasoning", Y)
    study = results.study.model_copy(update={"predict": ["qwen1.5-14b"]})
    measured = known.cells("visual_reasoning").iloc[0].to_dict() | {
        "llm": "qwen1.5-14b",
        "params_b": 14.0,
        "visual_tokens": 16,
        "error": float(known.headline("visual_reasoning").predict(14.0, 16.0)) * factor,
    }
    errors = pd.concat([known.errors, pd.DataFrame([measured])], ignore_index=True)
    frozen = results.frozen.model_copy(update={"study": study})
    with_14b = replace(known, errors=errors, frozen=frozen)
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
    ("value", "interval", "region", "verdict"),
    [
        (0.0771, Interval(0.0768, 0.0774), about(0.077, 0.0005), Verdict.HOLDS),
        (0.0771, Interval(0.07, 0.08), about(0.077, 0.0005), Verdict.UNDECIDED),
        (0.0779, Interval(0.07, math.inf), about(0.077, 0.0005), Verdict.UNDECIDED),
        (0.0779, Interval(0.0776, 0.08), about(0.077, 0.0005), Verdict.FAILS),
        (0.0771, None, about(0.077, 0.0005), Verdict.UNDECIDED),
        (5.2, Interval(4.6, 5.4), about(5), Verdict.HOLDS),
        (4.7, Interval(3.9, 5.2), about(5), Verdict.UNDECIDED),
        (11.3, Interval(0.0, math.inf), about(5), Verdict.UNDECIDED),
        (4.0, Interval(3.0, 4.49), about(5), Verdict.FAILS),
        (1.0, Interval(1.0, 1.0), at_most(1), Verdict.HOLDS),
        (1.0, Interval(1.0, 9.0), at_most(1), Verdict.UNDECIDED),
        (0.5, Interval(0.2, 1.0), below(1), Verdict.UNDECIDED),
        (0.5, Interval(0.2, 0.99), below(1), Verdict.HOLDS),
        (3.0, Interval(1.0, 9.0), below(1), Verdict.FAILS),
        (0.0, Interval(0.0, 0.0), above(0), Verdict.FAILS),
        (2.0, Interval(0.1, math.inf), above(0), Verdict.HOLDS),
    ],
)
def test_a_verdict_is_where_the_interval_lies(
    value: float, interval: Interval | None, region: Region, verdict: Verdict
) -> None:
    assert judge("x", value, interval, region, "").verdict == verdict
    absent = judge(
        "x", value, interval, region, "", ["The data show no significant effect of N (p = 0.4)."]
    )
    assert absent.verdict == Verdict.UNDECIDED
    assert "no significant effect of N" in absent.because


@pytest.mark.parametrize(
    ("value", "interval", "region", "verdict", "factor"),
    [
        (5.0, Interval(3.0, 6.0), about(5), Verdict.HOLDS, 4.0),
        (4.0, Interval(3.0, 5.0), about(5), Verdict.FAILS, 2.0),
        (7.0, Interval(5.0, 9.0), about(5), Verdict.FAILS, 4 / 3),
        (0.5, Interval(0.1, 2.0), below(1), Verdict.HOLDS, 3.0),
        (4.8, Interval(3.0, math.inf), about(5), Verdict.HOLDS, (1 / 4.8) / (1 / 4.8 - 1 / 5.5)),
    ],
)
def test_an_open_claim_says_how_far_the_noise_would_have_to_fall(
    value: float, interval: Interval, region: Region, verdict: Verdict, factor: float
) -> None:
    because = judge("x", value, interval, region, "").because
    decides = f"The claim {verdict} if the estimate stays the same and the noise falls by a factor of"
    assert f"{decides} {factor:.2g}" in because
    assert f"{math.ceil(round(factor**2, 6)):,} times as many seeds" in because


def test_an_interval_that_ends_at_the_limit_needs_no_factor() -> None:
    """V* does not fall below the fewest tokens, so that its growth has exactly 0 as an end."""
    because = judge("x", 0.445, Interval(0.0, 2.08), above(0), "").because
    assert "at the limit of the claim: it holds if the estimate stays the same" in because
    assert "factor" not in because


def test_an_interval_that_shrinks_by_the_factor_decides() -> None:
    """Random open claims: the interval around the same estimate, shrunk a little further, decides."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        value, low, high = rng.normal(), *rng.exponential(size=2)
        region = about(rng.normal(), rng.exponential())
        found = judge("x", value, Interval(value - low, value + high), region, "")
        if found.verdict != Verdict.UNDECIDED:
            continue
        if "more than 100 times as many seeds" in found.because:
            shrunk = Interval(value - low / 10, value + high / 10)
            assert judge("x", value, shrunk, region, "").verdict == Verdict.UNDECIDED
            continue
        if "lies at the limit of the claim" in found.because:
            shrunk = Interval(value - low / 1.1, value + high / 1.1)
            assert judge("x", value, shrunk, region, "").verdict != Verdict.UNDECIDED
            continue
        text = found.because.split("by a factor of ")[1].split(",")[0]
        for stretch, decided in ((1.1, True), (0.9, False)):
            factor = float(text) * stretch
            shrunk = Interval(value - low / factor, value + high / factor)
            verdict = judge("x", value, shrunk, region, "").verdict
            assert (verdict != Verdict.UNDECIDED) == decided, (value, low, high, region)


@pytest.mark.parametrize(("number", "half"), [(0.077, 0.0005), (12.0, 0.5), (0.5, 0.05)])
def test_rounding_is_half_a_unit_of_the_last_published_digit(number: float, half: float) -> None:
    assert rounding(number) == pytest.approx(half)


def test_a_claim_is_judged_by_the_interval_that_is_shown(results: StudyResults) -> None:
    fit = results.headline("visual_reasoning")
    shown = fit.record["intervals"]["alpha"]
    assert interval_of(fit, "alpha") == Interval(shown["low"], shown["high"])
    row = _only(results, "visual_alpha")
    assert (row["low"], row["high"]) == (shown["low"], shown["high"])


@pytest.mark.parametrize("seed", range(3))
def test_pure_noise_decides_nothing(results: StudyResults, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noisy = results
    for suite in ("visual_reasoning", "ocr"):
        noisy = _with_suite(noisy, suite, 0.5 + 0.05 * rng.normal(size=28))
    for claim in results.study.claims:
        if not claim.startswith(("gap_", "grid_", "largest_")):
            row = _only(noisy, claim)
            assert row["verdict"] == Verdict.UNDECIDED, claim
            assert "The data show no significant effect of" in row["because"], claim


@pytest.mark.parametrize(
    ("constraints", "assumed"),
    [
        (read_constraints("product", ["alpha=beta"]), "alpha = beta"),
        (read_constraints("product", [], ["alpha=0.077", "D=0"]), "alpha = 0.077"),
        (read_constraints("product", [], ["D=0"]), None),
    ],
)
def test_what_the_fit_assumes_of_exponents_is_not_tested(
    results: StudyResults, constraints: Constraints, assumed: str | None
) -> None:
    fits = dict(results.fits)
    for suite in ("visual_reasoning", "ocr"):
        data = read_cells(REFERENCE / "published_errors.csv", Selection(suite=suite))
        record = fit_record(data, FitOptions(constraints=constraints, bootstrap=60))
        fits[suite, "product-all"] = FittedLaw.from_record(record)
    table = ledger(replace(results, fits=fits), results.study.claims)
    about_exponents = table[table["claim"].isin(EXPONENT_CLAIMS)]
    if assumed is None:
        assert not (about_exponents["verdict"] == Verdict.UNTESTABLE).any()
    else:
        assert (about_exponents["verdict"] == Verdict.UNTESTABLE).all()
        assert (
            about_exponents["because"]
            .str.contains(f"assumes {assumed}, so it cannot test", regex=False)
            .all()
        )


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
    assert "older values of 2 cells" in visual.index
    reduced = results.cells("visual_reasoning")
    reduced = reduced[reduced["llm"] != "qwen1.5-7b"]
    data = Cells(
        *(reduced[c].to_numpy(float) for c in ("params_b", "visual_tokens", "error")),
        weight=np.ones(len(reduced)),
    )
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
