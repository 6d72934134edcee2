"""Commands under other costs than the paper's: frontier, recommend, figure, shapes."""

from __future__ import annotations

import csv
import json

import pytest

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.cli import main
from report_study import SUITES, finished_study, latency_table


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    finished = finished_study(tmp_path_factory.mktemp("costs"), suites=SUITES[:1], laws=["product"])
    latency_table(finished.root / "latency.csv")
    return finished


@pytest.fixture
def run(study, monkeypatch, capsys):
    """Run a command in the study's project; return exit code, stdout and stderr."""
    monkeypatch.chdir(study.root)

    def command(*words):
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return command


FIT = ("--fit", "results/demo/fits/scenes/product-all.json")
SHAPES = ("--shapes", "results/demo/shapes.json")
TIMED = ("--latency", "latency.csv")


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_deployment_in_words(run, study):
    code, said, _ = run("recommend", *FIT, "--budget-ms", 50, *TIMED, "--text-tokens", 60)
    assert code == 0
    assert said.startswith("With 50 ms per question and 60 text tokens, use 7B (largest) with ")
    assert "visual tokens: expected error 0." in said
    assert "next best: " in said
    assert "vision encoder included, on Abacus 9" in said
    assert "uncertainty of the law's parameters only" in said
    assert "The cost is treated as exact: latency.csv does not report" in said
    _, text, _ = run(
        "recommend", *FIT, "--budget-ms", 50, *TIMED, "--text-tokens", 60, "--format", "json"
    )
    best = json.loads(text)["recommended"]
    n, v = best["params_b"], best["visual_tokens"]
    assert best["cost"] == pytest.approx(6 + 4 + 3 * n + 2e-2 * n * (v + 60))
    fit = FittedLaw.read(study.root / FIT[1])
    within = [
        float(fit.predict(n, v))
        for n in fit.sizes
        for v in fit.token_counts
        if 10 + 3 * n + 2e-2 * n * (v + 60) <= 50
    ]
    assert best["error"] == min(within)


@pytest.mark.parametrize(
    ("options", "unit"),
    [
        (["--budget-flops", "1e12"], "FLOPs per question and"),
        (["--budget-ms", "50", *TIMED], "ms per question and"),
        (
            ["--budget-flops", "2e12", "--cost", "flops_exact", *SHAPES, "--answer-tokens", "20"],
            "FLOPs per question and",
        ),
        (["--budget-gib", "12", *SHAPES, "--batch", "4"], "GiB and"),
        (
            ["--budget", "0.9", "--cost", "price", *TIMED, "--price-per-hour", "40"],
            "per 1,000 answers and",
        ),
    ],
)
def test_budgets_in_every_unit(run, options, unit):
    code, said, complaint = run("recommend", *FIT, *options, "--text-tokens", 50)
    assert (code, complaint) == (0, "")
    assert f"{unit} 50 text tokens" in said


def test_a_time_is_that_of_the_batch_and_a_price_that_of_each_answer(run, study):
    rows = [row | {"batch": "8"} for row in rows_of(study.root / "latency.csv")]
    with (study.root / "eight.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    line = ("recommend", *FIT, "--latency", "eight.csv", "--batch", 8, "--text-tokens", 60)
    code, said, _ = run(*line, "--budget-ms", 50)
    assert code == 0
    assert said.startswith("With 50 ms for 8 questions at once and 60 text tokens, use 7B (largest)")
    code, said, _ = run(*line, "--budget", 9, "--cost", "price", "--price-per-hour", 4)
    assert code == 0
    assert said.startswith("With 9 per 1,000 answers and 60 text tokens, use ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--budget-ms", "50"], "latency needs measured latency: give --latency"),
        (
            ["--budget-flops", "1e12", "--cost", "latency", *TIMED],
            "--budget-flops is not a budget of the cost model",
        ),
        (["--budget-j", "5", *TIMED], "has no energy"),
        (["--budget-ms", "1", *TIMED], "no configuration costs 1 ms or less; the cheapest is 0.5B with"),
        (
            ["--budget-ms", "90", *TIMED, "--tokens", "1000"],
            "knows none of these configurations at Q = 50",
        ),
        (["--budget-gib", "9", "--shapes", "results/demo/study.json"], "no valid dimensions of models"),
        (["--budget-gib", "9", "--shapes", "absent.json"], "absent.json cannot be read"),
        (
            ["--budget-flops", "1e12", "--answer-tokens", "9"],
            "flops_2nt does not depend on --answer-tokens",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused_with_a_message(run, options, message):
    code, said, complaint = run("recommend", *FIT, *options, "--text-tokens", 50)
    assert (code, said) == (2, "")
    assert message in complaint


def test_configurations_outside_of_the_measured_range_are_reported(run):
    _, said, _ = run(
        "recommend", *FIT, "--budget-ms", 90, *TIMED, "--text-tokens", 50, "--tokens", 1, 1000
    )
    assert "Configurations of unknown cost were not considered: 4" in said


def test_a_frontier_under_another_cost_and_the_best_v_under_all(run, tmp_path):
    out, by_cost = tmp_path / "f.csv", tmp_path / "o.csv"
    code, said, complaint = run(
        "frontier", *FIT, "--cost", "latency", *TIMED, *SHAPES, "--text-tokens", 0, 50, "--out", out,
        "--out-by-cost", by_cost, "--out-crossovers", tmp_path / "c.csv",
    )  # fmt: skip
    assert (code, complaint) == (0, "")
    assert "measured time to answer, vision encoder included, on Abacus 9 (ms)" in said
    rows = rows_of(out)
    assert {row["unit"] for row in rows} == {"ms"}
    assert {row["v_star"] for row in rows} == {""}, "no closed form under this cost"
    chosen = [row for row in rows if row["status"] == "ok"]
    assert all(float(row["cost"]) <= float(row["budget"]) * (1 + 1e-9) for row in chosen)
    models = {row["cost_model"] for row in rows_of(by_cost)}
    assert models == {"flops_2nt", "flops_exact", "memory", "latency"}


@pytest.mark.parametrize("name", ["fig1b", "fig3a"])
def test_figures_with_an_axis_of_costs_take_any(run, tmp_path, name):
    files = ("--study-file", "results/demo/study.json", "--errors", "results/demo/tables/errors.csv",
             "--fits", FIT[1])  # fmt: skip
    paper, other = tmp_path / "paper.png", tmp_path / "other.png"
    assert run("figure", "--name", name, *files, "--out", paper)[0] == 0
    for cost in (["flops_exact", *SHAPES], ["latency", *TIMED]):
        code, _, complaint = run("figure", "--name", name, *files, "--cost", *cost, "--out", other)
        assert (code, complaint) == (0, "")
        assert other.read_bytes() != paper.read_bytes()
    code, _, complaint = run(
        "figure", "--name", "residuals", *files, "--cost", "memory", *SHAPES, "--out", other
    )
    assert code == 2
    assert "residuals has no cost axis; leave out --cost" in complaint


def test_shapes_of_a_file_that_is_not_a_study(run, tmp_path):
    (tmp_path / "x.json").write_text("[1]")
    code, _, complaint = run("shapes", "--study-file", tmp_path / "x.json", "--out", tmp_path / "s.json")
    assert code == 2
    assert "is not a study of this version; make it with `paretoken study`" in complaint
    assert not (tmp_path / "s.json").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tokens", "1.5", "--text-tokens", "50"], "argument --tokens: '1.5' must be a whole number"),
        (["--text-tokens", "1e300"], "argument --text-tokens: '1e300' must be at most 1,000,000,000"),
    ],
)
def test_numbers_of_tokens_that_nothing_reads_are_refused(run, capsys, options, words):
    with pytest.raises(SystemExit) as left:
        run("recommend", *FIT, "--budget-flops", 1e12, *options)
    assert left.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--threads", "--repeats"])
def test_latency_refuses_options_of_zero(run, capsys, option):
    with pytest.raises(SystemExit) as left:
        run("latency", *SHAPES, "--tokens", 1, option, 0, "--out", "never.csv")
    assert left.value.code == 2
    assert f"argument {option}: '0' must be 1 or more" in capsys.readouterr().err
