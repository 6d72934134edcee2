"""The paper's study at its real scale, as jobs: how many, what they ask for, what is stale.

How long planning takes, and that it grows in step with the cells, is for ``benchmarks/dry_run.py``.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from project_copy import Project

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
(PAPER,) = (study for study in CONFIG["studies"] if study["name"] == "paper")
TRAINED = [study for study in CONFIG["studies"] if "training" in study]
ASKED_FOR = re.compile(r"^rule (\w+):\n(?:    (?!resources).*\n)*    resources: (.*)$", re.MULTILINE)
SIZES, COUNTS, ASKED = 5, 8, 13
CELLS = SIZES * COUNTS
#: Two sizes, two token counts and a benchmark of each suite, for what does not depend on the scale; such
#: a grid holds no size out, and draws what needs no third one.
SMALL: dict[str, Any] = {
    "llms": ["qwen1.5-0.5b", "qwen1.5-1.8b"],
    "compressors": [{"name": "tokenpacker", "tokens": [1, 4]}],
    "suites": [suite | {"benchmarks": suite["benchmarks"][:1]} for suite in PAPER["suites"]],
    "holdout": [],
    "fit": PAPER["fit"] | {"laws": ["product"]},
    "figures": ["fig1a"],
    "claims": ["visual_alpha"],
}
FEW_CELLS, FEW_ASKED = 2 * 2, len(PAPER["suites"])


def changed(project: Project, name: str, **changes: Any) -> tuple[str, str]:
    """Write a config of the paper's study with other values; return how to use it."""
    content = {"run": ["paper"], "studies": [PAPER | changes]}
    (project.folder / name).write_text(yaml.safe_dump(content))
    return "--configfile", name


def test_every_cell_is_trained_once_and_asked_everything(fresh: Project) -> None:
    rules = fresh.dry_run("--config", "run=[paper]").rules
    laws, suites = len(PAPER["fit"]["laws"]), len(PAPER["suites"])
    assert rules == {
        "fetch": SIZES + 1, "data": 2, "tokenize": 2 * SIZES, "questions": ASKED,
        "pretrain": CELLS, "finetune": CELLS,
        "predict": CELLS * ASKED, "score": CELLS * ASKED, "cell_scores": CELLS,
        "study": 1, "aggregate": 1, "scores": 1, "costs": 1, "fit": (laws + 1) * suites,
        "frontier": suites, "tables": 1, "claims": 1, "figure": len(PAPER["figures"]),
        "summary": 1, "report": 1, "shapes": 1, "all": 1,
    }  # fmt: skip


def test_a_task_of_lmms_eval_takes_one_job_per_cell(fresh: Project) -> None:
    own = {"name": "ocr_bench", "harness": "lmms_eval", "task": "ocrbench", "count": 1000}
    averaged = copy.deepcopy(SMALL["suites"])
    averaged[1]["benchmarks"].append("ocr_bench")
    few = SMALL | {"suites": averaged, "training": PAPER["training"] | {"benchmarks": [own]}}
    rules = fresh.dry_run(*changed(fresh, "lmms.yaml", **few)).rules
    assert rules["lmms_eval"] == FEW_CELLS
    assert (rules["predict"], rules["questions"]) == (FEW_CELLS * FEW_ASKED, FEW_ASKED)


@pytest.mark.parametrize("decode", [True, False])
def test_images_are_decoded_unless_the_config_says_no(fresh: Project, decode: bool) -> None:
    (data,) = (data for data in CONFIG["data"] if data["name"] == PAPER["training"]["data"])
    content = {
        "run": ["paper"],
        "data": [data | ({} if decode else {"decode": False})],
        "studies": [PAPER],
    }
    (fresh.folder / "decode.yaml").write_text(yaml.safe_dump(content))
    options = ("--configfile", "decode.yaml")
    targets = [f"results/paper/sources/data/{stage}/run.json" for stage in ("pretrain", "finetune")]
    text = fresh.dry_run(*targets, "--printshellcmds", *options).text
    lines = [line for line in text.splitlines() if "paretoken data " in line]
    assert len(lines) == 2
    assert all(("--no-decode" in line) != decode for line in lines)


def test_every_size_of_every_study_can_be_planned(fresh: Project) -> None:
    targets = []
    for study in TRAINED:
        first = study["compressors"][0]
        cell = f"{first['name']}-{first['tokens'][0]}/s{study.get('seeds', [0])[0]}"
        targets += [f"results/{study['name']}/runs/{llm}/{cell}/errors.csv" for llm in study["llms"]]
    assert fresh.dry_run(*targets).rules["cell_scores"] == len(targets) > len(TRAINED)


@pytest.mark.parametrize(
    "llm", [r["name"] for r in CONFIG["llms"] if "hub" in r and r["name"] not in PAPER["llms"]]
)
def test_a_size_outside_the_grid_can_take_its_place(fresh: Project, llm: str) -> None:
    options = changed(fresh, "other.yaml", **SMALL | {"llms": ["qwen1.5-0.5b", llm]})
    assert fresh.dry_run(*options).rules["finetune"] == FEW_CELLS


def test_cached_features_are_an_option(fresh: Project) -> None:
    training = PAPER["training"] | {"features": True}
    rules = fresh.dry_run(*changed(fresh, "features.yaml", **SMALL, training=training)).rules
    assert (rules["features"], rules["pretrain"]) == (2, FEW_CELLS)


def test_an_unknown_variant_is_refused_before_anything_runs(fresh: Project) -> None:
    training = PAPER["training"] | {"benchmarks": [{"name": "docvqa", "scoring": "binary"}]}
    done = fresh.snakemake("--dry-run", *changed(fresh, "variant.yaml", training=training))
    assert done.returncode == 2
    assert (
        "studies[0].training.benchmarks[0].scoring: unknown variant of docvqa for scoring 'binary'"
        in done.stderr
    )
    assert "did you mean 'binarised'" in done.stderr


def test_seeds_share_what_is_fetched(fresh: Project) -> None:
    rules = fresh.dry_run(*changed(fresh, "seeds.yaml", **SMALL, seeds=[0, 1])).rules
    assert (rules["fetch"], rules["tokenize"], rules["questions"]) == (2 + 1, 4, FEW_ASKED)
    assert rules["finetune"] == 2 * FEW_CELLS
    assert rules["predict"] == 2 * FEW_CELLS * FEW_ASKED


def test_jobs_request_what_the_plan_says(fresh: Project) -> None:
    target = "results/paper/runs/qwen1.5-14b/tokenpacker-1/s0/finetune/run.json"
    text = fresh.dry_run(target).text
    asked = {
        rule: dict(pair.split("=", 1) for pair in line.split(", "))
        for rule, line in ASKED_FOR.findall(text)
    }
    assert (asked["pretrain"]["gpus"], asked["finetune"]["gpus"]) == ("4", "8")
    assert int(asked["finetune"]["runtime"]) > int(asked["pretrain"]["runtime"])
    assert int(asked["finetune"]["mem_mb"]) > 100_000
    assert "gpus" not in asked["tokenize"]


def test_a_faster_device_requests_less_time(fresh: Project) -> None:
    target = "results/paper/runs/qwen1.5-7b/tokenpacker-1/s0/finetune/run.json"
    times = [
        max(map(int, re.findall(r"runtime=(\d+)", fresh.dry_run(target, "--config", *device).text)))
        for device in (["device=a6000"], ["device=h100"])
    ]
    assert times[0] > times[1]
