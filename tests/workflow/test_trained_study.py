"""Studies that train their cells: which jobs they are, what makes them stale, and a whole small one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import smoke_study
from paretoken.cli import main
from project_copy import Project
from report_study import embedded
from smoke_study import STUDY, write_study

CONFIG = Path(__file__).parents[2] / "config.yaml"
SMOKE = ("--configfile", "smoke.yaml")
TRAINS = {
    "world",
    "pretrain_vision",
    "features",
    "tokenize",
    "pretrain_llm",
    "pretrain",
    "finetune",
}


@pytest.fixture(scope="module")
def trained(smoke_project: Project) -> Project:
    """A copy in which the smoke study has run."""
    done = smoke_project.snakemake(*SMOKE)
    assert done.returncode == 0, done.stdout + done.stderr
    return smoke_project


def changed(project: Project, name: str, **changes: Any) -> tuple[str, str]:
    write_study(project.folder, name, STUDY | changes)
    return "--configfile", name


def test_the_miniature_makes_its_sources_once_and_trains_each_cell_once(fresh: Project) -> None:
    rules = fresh.dry_run("--config", "run=[miniature]").rules
    cells = 5 * 4 + 1  # and one blind control
    once = (
        "world",
        "pretrain_vision",
        "features",
        "aggregate",
        "scores",
        "costs",
        "summary",
        "claims",
    )
    assert {name: rules[name] for name in once} == dict.fromkeys(once, 1)
    assert (rules["pretrain_llm"], rules["tokenize"]) == (5, 2)
    per_cell = ("pretrain", "finetune", "predict", "score", "cell_scores")
    assert {name: rules[name] for name in per_cell} == dict.fromkeys(per_cell, cells)
    assert not {*rules} & {"measured_cell", "fetch", "data", "questions"}


def test_one_model_for_every_token_count_is_trained_once(fresh: Project) -> None:
    """The elastic methods: two trainings of each stage for their cells, and an answer for each V."""
    jobs = fresh.dry_run("--config", "run=[miniature_table1]")
    rules, budgets, seeds = jobs.rules, 3, 4
    plain = 5 * budgets + 2  # five methods of their own for each V, the whole grid, the blind control
    elastic = 2
    assert rules["pretrain"] == rules["finetune"] == seeds * (plain + elastic)
    assert rules["predict"] == rules["score"] == seeds * (plain + elastic * budgets)
    assert (rules["methods"], rules["figure"], rules["claims"]) == (1, 1, 1)
    assert not {*rules} & {"fit", "frontier", "tables"}  # nothing is fitted


def test_table_1_trains_elastic_models_once_on_gpus_too(fresh: Project) -> None:
    """With a seed and two benchmarks of the shipped study: all of them are 2500 jobs."""
    (table1,) = (s for s in yaml.safe_load(CONFIG.read_text())["studies"] if s["name"] == "table1")
    training = table1["training"]
    asked = [own for own in training["benchmarks"] if own["name"] in ("mme", "scienceqa")]
    (suite,) = table1["suites"]
    cut = table1 | {
        "seeds": [0],
        "suites": [suite | {"benchmarks": [own["name"] for own in asked]}],
        "training": training | {"benchmarks": asked},
    }
    write_study(fresh.folder, "table1.yaml", cut)
    rules = fresh.dry_run("--configfile", "table1.yaml").rules
    plain = 9 * 4 + 2  # nine methods at four budgets, no compression, no image
    assert rules["pretrain"] == rules["finetune"] == plain + 2
    assert rules["predict"] == (plain + 4 + 5) * len(asked) == 94


def test_another_seed_has_sources_of_its_own(fresh: Project) -> None:
    smoke_study.write_recipes(fresh.folder)
    rules = fresh.dry_run(*changed(fresh, "seeds.yaml", seeds=[3, 4])).rules
    assert (rules["world"], rules["pretrain_llm"], rules["finetune"]) == (2, 4, 10)


@pytest.mark.slow
def test_a_trained_study_runs_from_nothing_to_its_summary(trained: Project) -> None:
    results = trained.folder / "results" / "smoke"
    errors = pd.read_csv(results / "tables" / "errors.csv")
    assert len(errors) == 5 * 2  # four cells and a blind control, two suites
    assert errors["error"].between(0, 1).all()
    assert (errors["stderr"] >= 0).all()
    scores = pd.read_csv(results / "tables" / "scores.csv")
    assert len(scores) == 5 * 3  # the benchmarks that some suite averages
    cell = {"llm": "miniature-28", "visual_tokens": 4}
    own = scores[(scores[list(cell)] == pd.Series(cell)).all(axis=1)].set_index("benchmark")["score"]
    error = errors[(errors[list(cell)] == pd.Series(cell)).all(axis=1)].set_index("suite")["error"]
    assert error["reasoning"] == pytest.approx(1 - own[["fact", "number"]].mean())
    costs = pd.read_csv(results / "tables" / "costs.csv")
    assert len(costs) == 5
    assert (costs[["latency_s", "finetune_flops", "prefill_flops_q50", "llm_parameters"]] > 0).all(
        axis=None
    )
    pairs = pd.read_csv(results / "tables" / "equal_cost.csv")
    assert {*pairs["wins"]} <= {"larger", "smaller", "undecided"}
    fit = json.loads((results / "fits" / "reasoning" / "product-all.json").read_text())
    assert fit["n_points"] == 4
    assert [e["reason"] for e in fit["data"]["exclusions"]] == ["no visual tokens (the law needs V > 0)"]
    assert "alpha / beta" in (results / "summary.md").read_text()
    page = (results / "report.html").read_text()
    assert "Trained on" in page
    models = {cost["model"] for cost in embedded(page, "explorer-data")["costs"]}
    assert models == {"flops_2nt", "flops_exact", "memory", "latency"}, "latency as predict measured it"
    optimum = pd.read_csv(results / "tables" / "optimum-reasoning.csv")
    assert set(optimum["cost_model"]) == models
    assert (results / "figures" / "fig1a.png").stat().st_size > 10_000
    assert not trained.dry_run(*SMOKE).rules


#: What fits and pages compute from the tables of a study.
COMPUTED = ("cells", "equal_cost", "fits", "predictions", "sensitivity", "frontier-reasoning", "claims")


@pytest.mark.slow
def test_recorded_tables_are_analysed_again_without_training(
    trained: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.folder)
    kept, own = Path("results/measured/smoke"), Path("results/smoke")
    assert main(["record", "--study", "smoke", "--config", "smoke.yaml", "--made-by", "a test"]) == 0
    assert sorted(path.name for path in kept.iterdir()) == [
        "costs.csv",
        "errors.csv",
        "record.json",
        "scores.csv",
    ]
    again = (*SMOKE, "--config", "run=[measured/smoke]")
    assert not {*trained.dry_run(*again).rules} & {*TRAINS, "measured_cell", "cell_scores", "predict"}
    done = trained.snakemake(*again)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (*COMPUTED, "errors", "scores", "costs"):
        table = Path("tables", f"{name}.csv")
        assert (kept / table).read_text() == (own / table).read_text(), name
    page = (kept / "report.html").read_text()
    assert "trained by: a test" in page
    assert embedded(page, "explorer-data")["folder"] == str(kept), (
        "its commands name files that are there"
    )
    assert not trained.dry_run(*again).rules
    assert not trained.dry_run(*SMOKE).rules, "the study itself is as it was"

    errors = kept / "errors.csv"
    errors.write_text(errors.read_text().replace("0.", "0.0", 1))
    refused = trained.snakemake(*again)
    assert refused.returncode != 0
    assert "is not the table that record.json is about" in refused.stdout + refused.stderr
    assert main(["record", "--study", "smoke", "--config", "smoke.yaml"]) == 2


@pytest.mark.slow
def test_a_new_size_trains_itself_only(trained: Project) -> None:
    arguments = changed(trained, "size.yaml", llms=["miniature-48", *STUDY["llms"]])
    jobs = trained.dry_run(*arguments)
    assert jobs.wildcards("llm") == {"miniature-48": 2 * 5}
    assert {name: jobs.rules[name] for name in TRAINS if jobs.rules[name]} == {
        "pretrain_llm": 1,
        "pretrain": 2,
        "finetune": 2,
    }


@pytest.mark.slow
def test_a_new_benchmark_repeats_no_training_and_no_predictions(trained: Project) -> None:
    suites = copy.deepcopy(STUDY["suites"])
    suites[0]["benchmarks"].append("property")
    rules = trained.dry_run(*changed(trained, "benchmark.yaml", suites=suites)).rules
    assert rules["cell_scores"] == 5
    assert not {*rules} & {*TRAINS, "predict", "score"}


@pytest.mark.slow
def test_another_way_to_score_repeats_no_training_and_no_predictions(trained: Project) -> None:
    with trained.with_added("src/paretoken/evaluate/benchmarks/exact_match.py", "# edited"):
        rules = trained.dry_run(*SMOKE).rules
    assert rules["score"] == 5
    assert not {*rules} & {*TRAINS, "predict"}


@pytest.mark.slow
def test_another_recipe_of_stage_2_repeats_stage_2_only(trained: Project) -> None:
    with trained.with_added("smoke/finetune.yaml", "# edited"):
        rules = trained.dry_run(*SMOKE).rules
    assert (rules["finetune"], rules["predict"]) == (5, 5)
    assert not {*rules} & (TRAINS - {"finetune"})


@pytest.mark.slow
def test_a_study_without_laws_compares_methods_to_its_end(trained: Project) -> None:
    """Last: it leaves the smoke study's folder with other tables."""
    arguments = changed(
        trained, "methods.yaml", llms=["miniature-16"], fit={"laws": []}, figures=["methods"], claims=[],
        compressors=[{"name": name, "tokens": [1]} for name in ("average_pool", "downsample")],
    )  # fmt: skip
    done = trained.snakemake(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = trained.folder / "results" / "smoke"
    best = pd.read_csv(folder / "tables" / "comparisons.csv")["against"]
    assert len(best) == 2, "two suites at one token count"
    page = (folder / "report.html").read_text()
    for text in (page, (folder / "summary.md").read_text(), (folder / "methods.md").read_text()):
        assert f"Reasoning, V = 1: {best[0]}" in text
    assert "explorer-data" not in page
