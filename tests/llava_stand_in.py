"""A config of plain values with a study of the kind `llava`: what planning reads, and nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace as Values
from typing import Any

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "workflow" / "recipes"


def llava_config(**study: Any) -> Any:
    """Return a config with the study `paper`: two sizes, three token counts."""
    gpus = Values(pretrain=4, finetune=8, predict=1)
    llms = [
        Values(name="qwen1.5-0.5b", params_b=0.5, params=463_987_712, width=None, gpus=gpus),
        Values(name="qwen1.5-7b", params_b=7, params=7_721_324_544, width=None, gpus=gpus),
    ]
    overrides = Values(pretrain=[], finetune=["global_batch=128"])
    training = Values(
        kind="llava",
        recipes=Values(
            pretrain=str(RECIPES / "llava_pretrain.yaml"), finetune=str(RECIPES / "llava_finetune.yaml")
        ),
        overrides=overrides,
        blind=[],
        features=False,
        settings=lambda name: Values(limit=10 if name == "vqav2" else None),
    )
    suite = Values(name="reasoning", benchmarks=["mme", "vqav2"])
    values = {
        "name": "paper",
        "training": training,
        "measured": None,
        "vision": "clip",
        "llms": [llm.name for llm in llms],
        "compressors": [Values(name="tokenpacker", tokens=[1, 16, 576])],
        "seeds": [0],
        "suites": [suite],
        "published": Values(dimensions=str(ROOT / "workflow/reference/llm_dimensions.csv")),
        "budget_gpu_hours": None,
        **study,
    }
    made = Values(**values)
    return Values(
        llms=llms, vision=[Values(name="clip", grid=24)], studies=[made], study=lambda name: made
    )


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
