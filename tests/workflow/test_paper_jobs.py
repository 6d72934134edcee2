"""The paper's study at its real scale, as jobs: how many, what they ask for, what is stale.

How long planning takes, and that it grows in step with the cells, is for ``benchmarks/dry_run.py``.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from project_copy import Project

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
(PAPER,) = (study for study in CONFIG["studies"] if study["name"] == "paper")
TRAINED = [study for study in CONFIG["studies"] if "training" in study]
#: Rules that make tables, laws and figures of scores: seconds each.
TABLES = {"cell_scores", "aggregate", "scores", "costs", "fit", "paper_grid", "frontier", "tables",
          "claims", "figure", "summary", "report", "shapes", "study", "all"}  # fmt: skip
ASKED_FOR = re.compile(r"^rule (\w+):\n(?:    (?!resources).*\n)*    resources: (.*)$", re.MULTILINE)
OUTPUTS = re.compile(r"^(?:local)?rule (\w+):\n(?:    (?!output).*\n)*    output: (.*)$", re.MULTILINE)
SIZES, COUNTS, ASKED = 5, 8, 13
CELLS = SIZES * COUNTS


def changed(project: Project, name: str, **changes: Any) -> tuple[str, str]:
    """Write a config of the paper's study with other values; return how to use it."""
    content = {"run": ["paper"], "studies": [PAPER | changes]}
    (project.folder / name).write_text(yaml.safe_dump(content))
    return "--configfile", name


def suites(*without: str) -> list[dict[str, Any]]:
    """Return the study's suites without some benchmarks."""
    kept = copy.deepcopy(PAPER["suites"])
    for suite in kept:
        suite["benchmarks"] = [name for name in suite["benchmarks"] if name not in without]
    return kept


def test_every_cell_is_trained_once_and_asked_everything(fresh: Project) -> None:
    rules = fresh.dry_run("--config", "run=[paper]").rules
    laws, suites = len(PAPER["fit"]["laws"]), len(PAPER["suites"])
    assert rules == {
        "fetch_llm": SIZES, "fetch_vision": 1, "llava_data": 2, "llava_tokenize": 2 * SIZES,
        "questions": ASKED, "llava_pretrain": CELLS, "llava_finetune": CELLS,
        "llava_predict": CELLS * ASKED, "llava_score": CELLS * ASKED, "cell_scores": CELLS,
        "study": 1, "aggregate": 1, "scores": 1, "costs": 1, "fit": laws * suites, "paper_grid": suites,
        "frontier": suites, "tables": 1, "claims": 1, "figure": len(PAPER["figures"]),
        "summary": 1, "report": 1, "shapes": 1, "all": 1,
    }  # fmt: skip


def test_a_task_of_lmms_eval_takes_one_job_per_cell(fresh: Project) -> None:
    own = {"name": "ocr_bench", "harness": "lmms_eval", "task": "ocrbench"}
    averaged = suites()
    averaged[1]["benchmarks"].append("ocr_bench")
    training = PAPER["training"] | {"benchmarks": [own]}
    rules = fresh.dry_run(*changed(fresh, "lmms.yaml", suites=averaged, training=training)).rules
    assert rules["llava_lmms_eval"] == CELLS
    assert (rules["llava_predict"], rules["questions"]) == (CELLS * ASKED, ASKED)


@pytest.mark.parametrize("decode", [True, False])
def test_images_are_decoded_unless_the_config_says_no(fresh: Project, decode: bool) -> None:
    data = PAPER["training"]["data"] | ({} if decode else {"decode": False})
    options = changed(fresh, "decode.yaml", training=PAPER["training"] | {"data": data})
    text = fresh.dry_run("--printshellcmds", *options).text
    lines = [line for line in text.splitlines() if "paretoken data " in line]
    assert len(lines) == 2
    assert all(("--no-decode" in line) != decode for line in lines)


def test_other_studies_know_nothing_of_it(fresh: Project) -> None:
    for study in ("published", "miniature"):
        rules = fresh.dry_run("--config", f"run=[{study}]").rules
        assert not {name for name in rules if name.startswith(("llava", "fetch", "questions"))}


@pytest.mark.parametrize("study", TRAINED, ids=lambda study: str(study["name"]))
def test_every_size_of_every_study_can_be_planned(fresh: Project, study: dict[str, Any]) -> None:
    first = study["compressors"][0]
    cell = f"{first['name']}-{first['tokens'][0]}/s{study.get('seeds', [0])[0]}"
    targets = [f"results/{study['name']}/runs/{llm}/{cell}/errors.csv" for llm in study["llms"]]
    jobs = fresh.dry_run(*targets)
    assert jobs.rules["cell_scores"] == len(study["llms"])


@pytest.mark.parametrize(
    "llm", [r["name"] for r in CONFIG["llms"] if "hub" in r and r["name"] not in PAPER["llms"]]
)
def test_a_size_outside_the_grid_can_take_its_place(fresh: Project, llm: str) -> None:
    options = changed(fresh, "other.yaml", llms=["qwen1.5-0.5b", llm], holdout=[])
    assert fresh.dry_run(*options).rules["llava_finetune"] == 2 * COUNTS


def test_cached_features_are_an_option(fresh: Project) -> None:
    training = PAPER["training"] | {"features": True}
    rules = fresh.dry_run(*changed(fresh, "features.yaml", training=training)).rules
    assert (rules["llava_features"], rules["llava_pretrain"]) == (2, CELLS)


def test_an_unknown_variant_is_refused_before_anything_runs(fresh: Project) -> None:
    training = PAPER["training"] | {"benchmarks": [{"name": "docvqa", "scoring": "binary"}]}
    done = fresh.snakemake("--dry-run", *changed(fresh, "variant.yaml", training=training))
    assert done.returncode == 2
    assert "study paper, training.benchmarks, docvqa.scoring: 'binary' is no variant" in done.stderr
    assert "did you mean 'binarised'" in done.stderr


def test_seeds_share_what_is_fetched(fresh: Project) -> None:
    rules = fresh.dry_run(*changed(fresh, "seeds.yaml", seeds=[0, 1])).rules
    assert (rules["fetch_llm"], rules["llava_tokenize"], rules["questions"]) == (SIZES, 10, ASKED)
    assert (rules["llava_finetune"], rules["llava_predict"]) == (2 * CELLS, 2 * CELLS * ASKED)


def test_jobs_ask_for_what_the_plan_says(fresh: Project) -> None:
    target = "results/paper/runs/qwen1.5-14b/tokenpacker-1/s0/finetune/run.json"
    text = fresh.dry_run(target).text
    asked = {
        rule: dict(pair.split("=", 1) for pair in line.split(", "))
        for rule, line in ASKED_FOR.findall(text)
    }
    assert (asked["llava_pretrain"]["gpus"], asked["llava_finetune"]["gpus"]) == ("4", "8")
    assert int(asked["llava_finetune"]["runtime"]) > int(asked["llava_pretrain"]["runtime"])
    assert int(asked["llava_finetune"]["mem_mb"]) > 100_000
    assert "gpus" not in asked["llava_tokenize"]


def test_a_faster_device_asks_for_less_time(fresh: Project) -> None:
    target = "results/paper/runs/qwen1.5-7b/tokenpacker-1/s0/finetune/run.json"
    times = [
        max(map(int, re.findall(r"runtime=(\d+)", fresh.dry_run(target, "--config", *device).text)))
        for device in (["device=a6000"], ["device=h100"])
    ]
    assert times[0] > times[1]


@pytest.fixture(scope="module")
def pretended(fresh: Project) -> Iterator[Project]:
    """A copy in which the sources, answers and scores of a smaller grid without VQAv2 are there, empty.

    Tables are not: without Snakemake's records of a real run, one that is there would be taken for
    current. What becomes stale after a real run is tested end to end.
    """
    options = changed(fresh, "before.yaml", llms=PAPER["llms"][:2], holdout=[], suites=suites("vqav2"))
    made = [
        fresh.folder / path
        for rule, paths in OUTPUTS.findall(fresh.dry_run(*options).text)
        if rule not in TABLES
        for path in paths.split(", ")
    ]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    newest = max(path.stat().st_mtime for path in made)
    for path in made:  # all at once: nothing is newer than what is made of it
        os.utime(path, (newest, newest))
    assert set(fresh.dry_run(*options).rules) <= TABLES
    yield fresh
    for path in made:
        path.unlink()


def expensive(project: Project, name: str, **changes: Any) -> dict[str, int]:
    rules = project.dry_run(*changed(project, name, holdout=[], **changes)).rules
    return {rule: count for rule, count in rules.items() if rule not in TABLES}


def test_a_new_size_schedules_its_own_cells_only(pretended: Project) -> None:
    sizes = PAPER["llms"][:3]
    assert expensive(pretended, "size.yaml", llms=sizes, suites=suites("vqav2")) == {
        "fetch_llm": 1, "llava_tokenize": 2, "llava_pretrain": COUNTS, "llava_finetune": COUNTS,
        "llava_predict": COUNTS * (ASKED - 1), "llava_score": COUNTS * (ASKED - 1),
    }  # fmt: skip


def test_a_new_token_count_schedules_its_own_cells_only(pretended: Project) -> None:
    pooled = {"name": "average_pool", "tokens": [4]}
    rules = expensive(
        pretended, "tokens.yaml", llms=PAPER["llms"][:2], suites=suites("vqav2"),
        compressors=[*PAPER["compressors"], pooled],
    )  # fmt: skip
    asked = 2 * (ASKED - 1)
    assert rules == {"llava_pretrain": 2, "llava_finetune": 2, "llava_predict": asked,
                     "llava_score": asked}  # fmt: skip


def test_a_new_benchmark_schedules_what_asks_it_only(pretended: Project) -> None:
    cells = 2 * COUNTS
    assert expensive(pretended, "benchmark.yaml", llms=PAPER["llms"][:2]) == {
        "questions": 1, "llava_predict": cells, "llava_score": cells,
    }  # fmt: skip
