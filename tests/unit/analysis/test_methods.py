"""Methods side by side: means, pairs by seed, published numbers, pages, and the claims they decide."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from paretoken.analysis.claims.compression import QUECC_1, QUECC_4, REPETITION
from paretoken.analysis.claims.verdicts import Verdict
from paretoken.analysis.methods import comparisons, difference, method_scores, suite_errors
from paretoken.analysis.scales import PUBLISHED_BENCHMARKS, study_metrics
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import FrozenStudy
from paretoken.errors import UserError
from paretoken.figures.base import save
from paretoken.figures.method_curves import METHODS, published_errors
from paretoken.figures.style import styled
from paretoken.io.text_tables import latex_table
from paretoken.registry import BENCHMARKS
from paretoken.report.methods_table import methods_page, wide
from paretoken.report.summary import summary

ROOT = Path(__file__).parents[3]
SUITE = {"name": "all", "title": "All of it", "role": "reasoning", "benchmarks": ["gqa", "mme"]}
METHODS_USED = {"none": [576], "tokenpacker": [4, 1], "quecc": [4, 1], "repeat": [8, 16]}
#: Errors by seed.
ERRORS: dict[tuple[str, int], list[float]] = {
    ("none", 576): [0.20, 0.22, 0.21],
    ("tokenpacker", 4): [0.30, 0.32, 0.31],
    ("tokenpacker", 1): [0.40, 0.43, 0.41],
    ("quecc", 4): [0.28, 0.301, 0.289],
    ("quecc", 1): [0.42, 0.40, 0.41],
    ("repeat", 8): [0.30, 0.32, 0.312],
    ("repeat", 16): [0.33, 0.35, 0.34],
    ("none", 0): [0.6, 0.6, 0.61],
}


#: A trained study that scores MME as Table 1 does.
TRAINING = {
    "data": "llava",
    "recipes": {"pretrain": "p.yaml", "finetune": "f.yaml"},
    "benchmarks": [{"name": "mme", "scoring": "perception"}],
}
DATA = {"name": "llava", "manifest": "m.yaml", "root": "data"}
METRICS = {"gqa": "accuracy", "mme": "perception / 2000"}


def results(errors: dict[tuple[str, int], list[float]] = ERRORS, **changes: Any) -> StudyResults:
    study: dict[str, Any] = {
        "name": "t", "question": "Which?", "vision": "clip", "llms": ["vicuna-1.5-7b"],
        "compressors": [{"name": name, "tokens": tokens} for name, tokens in METHODS_USED.items()],
        "seeds": [0, 1, 2], "suites": [SUITE], "fit": {"laws": []}, "training": TRAINING, **changes,
    }  # fmt: skip
    frozen = {
        "study": study,
        "llms": [{"name": "vicuna-1.5-7b", "params_b": 7}],
        "vision": {"name": "clip", "grid": 24},
        "data": DATA if study["training"] else None,
    }
    rows = [
        {"study": "t", "llm": "vicuna-1.5-7b", "params_b": 7.0, "compressor": name, "visual_tokens": V,
         "seed": seed, "suite": "all", "error": error, "stderr": 0.01, "source": "here", "flag": ""}
        for (name, V), values in errors.items() for seed, error in enumerate(values)
    ]  # fmt: skip
    table1 = pd.read_csv(ROOT / "workflow" / "reference" / "published_table1.csv")
    return StudyResults(
        FrozenStudy.model_validate(frozen), pd.DataFrame(rows), {}, pd.DataFrame(), table1
    )


def scores(**metrics: str) -> pd.DataFrame:
    rows = [
        {"llm": "vicuna-1.5-7b", "compressor": name, "visual_tokens": V, "seed": seed,
         "benchmark": benchmark, "metric": (METRICS | metrics)[benchmark],
         "score": 1 - error, "low": 0.9 - error, "high": 1.1 - error}
        for (name, V), values in ERRORS.items() for seed, error in enumerate(values)
        for benchmark in ("gqa", "mme")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_means_have_students_interval_over_seeds() -> None:
    means = suite_errors(results(), "all").set_index(["compressor", "visual_tokens"])
    row = means.loc[("tokenpacker", 4)]
    half = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert (row["error"], row["seeds"]) == (pytest.approx(0.31), 3)
    assert (row["low"], row["high"]) == (pytest.approx(0.31 - half), pytest.approx(0.31 + half))
    assert ("blind", 0) in means.index
    one = results({key: values[:1] for key, values in ERRORS.items()})
    alone = suite_errors(one, "all").set_index(["compressor", "visual_tokens"]).loc[("quecc", 4)]
    assert alone["high"] - alone["error"] == pytest.approx(1.959964 * 0.01)


def test_differences_are_paired_by_seed() -> None:
    gap = difference(results(), "all", ("tokenpacker", 4), ("quecc", 4), "vicuna-1.5-7b")
    assert gap is not None
    gaps = [0.02, 0.019, 0.021]
    half = stats.t.ppf(0.975, 2) * stats.sem(gaps)
    assert (gap.value, gap.low) == (pytest.approx(0.02), pytest.approx(0.02 - half))
    assert difference(results(), "all", ("tokenpacker", 9), ("quecc", 4), "vicuna-1.5-7b") is None


def test_who_is_better_is_decided_only_by_an_interval() -> None:
    table = comparisons(results()).set_index(["visual_tokens", "compressor"])
    assert table.loc[(4, "tokenpacker"), "better"] == "quecc"
    assert table.loc[(1, "tokenpacker"), "better"] == "undecided"
    assert (table["difference"] >= 0).all()


def test_published_numbers_are_shown_beside_the_measured_ones_on_their_scale() -> None:
    table = method_scores(results(), scores()).set_index(["compressor", "visual_tokens", "benchmark"])
    row = table.loc[("quecc", 1, "mme")]
    assert (row["score"], row["published"]) == (pytest.approx(2000 * 0.59), 1269.1)
    assert row["difference"] == pytest.approx(2000 * 0.59 - 1269.1)
    assert row["difference_high"] - row["difference"] == pytest.approx(row["high"] - row["score"])
    assert table.loc[("tokenpacker", 4, "gqa"), "published"] == 56.2
    assert pd.isna(table.loc[("repeat", 8, "gqa"), "published"])
    assert pd.isna(table.loc[("none", 0, "gqa"), "published"])


SUM = "(perception + cognition) / 2800"


@pytest.mark.parametrize(
    ("benchmark", "metric", "points"),
    [
        ("mme", SUM, 2800),
        ("mme", f"{SUM} (subtasks missing, counted as 0: OCR)", 2800),
        ("mme", "perception / 2000 (subtasks missing, counted as 0: OCR)", 2000),
        ("mme", "accuracy", 100),
        ("gqa", "exact_match", 100),
        ("gqa", SUM, 2800),
    ],
)
def test_scores_of_another_metric_never_meet_the_published_ones(
    benchmark: str, metric: str, points: float
) -> None:
    found = results()
    table = method_scores(found, scores(**{benchmark: metric}))
    row = table.set_index(["compressor", "visual_tokens", "benchmark"]).loc[("quecc", 1, benchmark)]
    assert (row["metric"], row["out_of"]) == (metric, points)
    assert row["score"] == pytest.approx(points * 0.59)
    assert pd.isna(row[["published", "difference", "difference_low", "difference_high"]]).all()
    assert row["not_compared"] == f"the score is {metric}, the published one is {METRICS[benchmark]}"
    other = table[table["benchmark"] != benchmark]
    assert other["published"].notna().any()
    assert other["not_compared"].isna().all()
    page = methods_page(found, wide(found, table), comparisons(found), table)
    assert f"{benchmark} is not compared with the published numbers: the score is {metric}" in page
    if points != 100:
        assert f"{benchmark}: {points:g}" in page
    assert "[" not in wide(found, table).query("method == 'quecc'")[benchmark].iloc[0]


@pytest.mark.parametrize(
    ("benchmark", "settings", "reason"),
    [
        ("gqa", {"limit": 3}, "only the first 3 questions were asked"),
        (
            "scienceqa",
            {"questions": "full"},
            "the questions are full, the published ones are the default",
        ),
        ("textvqa", {}, "the questions are the default, the published ones are ocr"),
        ("textvqa", {"questions": "ocr"}, None),
    ],
)
def test_scores_of_other_questions_never_meet_the_published_ones(
    benchmark: str, settings: dict[str, Any], reason: str | None
) -> None:
    suite = SUITE | {"benchmarks": [benchmark]}
    training = TRAINING | {"benchmarks": [{"name": benchmark, **settings}]}
    found = results(suites=[suite], training=training)
    table = scores().query("benchmark == 'gqa'")
    metric = BENCHMARKS.load(benchmark).metric
    table = method_scores(found, table.assign(benchmark=benchmark, metric=metric))
    row = table.set_index(["compressor", "visual_tokens"]).loc[("quecc", 1)]
    assert pd.isna(row["published"]) == (reason is not None)
    assert (None if pd.isna(row["not_compared"]) else row["not_compared"]) == reason
    assert (len(published_errors(found, found.study.suites[0], "quecc")) > 0) is (reason is None)


@pytest.mark.parametrize("row", [0, 5, -1])
def test_cells_scored_by_two_metrics_are_refused(row: int) -> None:
    table = scores()
    mme = table.index[table["benchmark"] == "mme"]
    table.loc[mme[row], "metric"] = SUM
    with pytest.raises(UserError, match=r"mme was scored as .*; such scores cannot be averaged"):
        method_scores(results(), table)


def test_every_published_benchmark_has_the_metric_of_a_convention() -> None:
    for name, published in PUBLISHED_BENCHMARKS.items():
        benchmark = BENCHMARKS.load(name)
        metrics = {
            benchmark.variant(each).metric
            for each in (None, *(variant.name for variant in benchmark.variants))
        }
        assert published.metric in metrics
        assert published.out_of == (2000 if name == "mme" else 100)


@pytest.mark.parametrize(
    ("changes", "compared"),
    [
        ({}, True),
        ({"training": TRAINING | {"benchmarks": []}}, False),
        ({"training": TRAINING | {"benchmarks": [{"name": "mme", "scoring": "official"}]}}, False),
        ({"training": None, "measured": "x.csv"}, False),  # nobody knows how MME was scored
    ],
)
def test_the_figure_draws_published_errors_of_the_same_metric_only(
    changes: dict[str, Any], compared: bool
) -> None:
    found = results(**changes)
    assert (len(published_errors(found, found.study.suites[0], "quecc")) > 0) is compared
    assert study_metrics(found.study, "gqa") == {"accuracy"}


def test_the_table_as_markdown_and_latex() -> None:
    found = results()
    table = wide(found, method_scores(found, scores()))
    assert list(table.columns) == ["method", "LLM", "V", "gqa", "mme", "error all"]
    assert list(table["V"].astype(int)) == [576, 16, 8, 4, 4, 1, 1, 0]
    assert table["method"].iloc[-1] == "blind"
    row = table[(table["method"] == "quecc") & (table["V"] == "4")].iloc[0]
    assert row["gqa"].startswith("71.0 ± ")
    assert row["gqa"].endswith("[56.5]")
    page = methods_page(found, table, comparisons(found), method_scores(found, scores()))
    assert "V = 4: quecc has the lowest error. It is significantly better than tokenpacker." in page
    assert (
        "V = 1: quecc has the lowest error. It is not significantly different from tokenpacker." in page
    )
    text = latex_table(table)
    assert text.count(r"\\") == 1 + len(table)
    assert r"71.0 $\pm$ " in text
    assert "_" not in text.replace(r"\_", "")


def test_the_claims() -> None:
    found = results()
    four, one = QUECC_4.test(found), QUECC_1.test(found)
    assert (four.verdict, four.value) == (Verdict.HOLDS, pytest.approx(0.02))
    assert one.verdict == Verdict.UNDECIDED
    worse = results(ERRORS | {("quecc", 1): [0.52, 0.55, 0.53]})
    assert QUECC_1.test(worse).verdict == Verdict.FAILS
    assert QUECC_1.test(results({("none", 576): [0.2]})).verdict == Verdict.UNTESTABLE


def test_repetition_gains_nothing_unless_it_does() -> None:
    assert REPETITION.test(results()).verdict == Verdict.HOLDS  # what 8 tokens gain is below a point
    noisy = results(ERRORS | {("repeat", 8): [0.27, 0.33, 0.30]})
    assert REPETITION.test(noisy).verdict == Verdict.UNDECIDED
    worse = results(ERRORS | {("repeat", 8): [0.33, 0.35, 0.341]})
    assert REPETITION.test(worse).verdict == Verdict.HOLDS
    better = results(ERRORS | {("repeat", 8): [0.25, 0.27, 0.2601]})
    assert REPETITION.test(better).verdict == Verdict.FAILS
    without = {key: values for key, values in ERRORS.items() if key[0] != "repeat"}
    assert REPETITION.test(results(without)).verdict == Verdict.UNTESTABLE


def test_the_figure_and_the_summary_need_no_law(tmp_path: Path) -> None:
    found = results()
    save(METHODS, found, [tmp_path / "methods.png"])
    assert (tmp_path / "methods.png").stat().st_size > 10_000
    with styled():
        drawing = METHODS.draw(found)
    titles = [axis.get_title() for axis in drawing.axes if axis.axison]
    assert titles == ["Every patch", "TokenPacker", "QueCC", "Four tokens, repeated"]
    entries = {text.get_text() for text in drawing.legends[0].get_texts()}
    assert {"this method", "no image (V = 0)", "published Table 1"} <= entries
    sighted = replace(found, errors=found.errors[found.errors["visual_tokens"] > 0])
    with styled():
        entries = {text.get_text() for text in METHODS.draw(sighted).legends[0].get_texts()}
    assert "no image (V = 0)" not in entries
    published = published_errors(found, found.study.suites[0], "quecc").set_index("visual_tokens")
    assert published.loc[1, "error"] == pytest.approx(1 - (0.535 + 1269.1 / 2000) / 2)
    claims = pd.DataFrame(
        [{"statement": "s", "value": 1.0, "low": 0.0, "high": 2.0, "verdict": "holds"}]
    )
    page = summary(found, None, None, claims, ["methods"], None)
    assert "V = 4: quecc has the lowest error" in page
    assert "methods.md" in page
    assert "alpha" not in page
