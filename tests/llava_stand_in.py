"""The shipped paper study, smaller, and the records that its stages would leave."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from paretoken.config.config import Config, parse

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "workflow" / "recipes"


def llava_config(overrides: Sequence[str] = ("global_batch=128",), **study: Any) -> Config:
    """Return the shipped config with one study, `paper`: two sizes, three token counts.

    Args:
        overrides: of the recipe of stage 2.
        study: keys of the study in place of these.
    """
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    (paper,) = (each for each in raw["studies"] if each["name"] == "paper")
    names = ["qwen1.5-0.5b", "qwen1.5-7b"]
    gpus = {"pretrain": 4, "finetune": 8, "predict": 1}
    recipes = {stage: str(RECIPES / f"llava_{stage}.yaml") for stage in ("pretrain", "finetune")}
    changes: dict[str, Any] = {
        "training": paper["training"]
        | {
            "recipes": recipes,
            "overrides": {"finetune": list(overrides)},
            "benchmarks": [{"name": "vqav2", "limit": 10}],
        },
        "llms": names,
        "holdout": [],
        "compressors": [{"name": "tokenpacker", "tokens": [1, 16, 576]}],
        "suites": [paper["suites"][0] | {"benchmarks": ["mme", "vqav2"]}],
        "published": {
            "values": paper["published"]["values"],
            "dimensions": str(ROOT / "workflow/reference/llm_dimensions.csv"),
        },
        "figures": [],
        "claims": [],
        **study,
    }
    llms = [llm | {"gpus": gpus} for llm in raw["llms"] if llm["name"] in names]
    return parse({**raw, "run": ["paper"], "llms": llms, "studies": [paper | changes]})


def write_record(folder: Path, seconds: float, flops: float, gpus: list[str], steps: int = 10) -> None:
    """Write the ``run.json`` of a finished stage."""
    folder.mkdir(parents=True)
    record = {
        "steps": steps,
        "wall_s": seconds,
        "cpu_s": seconds,
        "training_flops": flops,
        "peak_memory": {"host_bytes": 2**30, "device_bytes": 2**35 if gpus else 0},
        "device": {"gpus": gpus, "processes": max(1, len(gpus))},
    }
    (folder / "run.json").write_text(json.dumps(record))


def read_rows(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV text."""
    return list(csv.DictReader(text.splitlines()))
