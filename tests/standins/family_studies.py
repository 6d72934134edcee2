"""Two llava studies, one per encoder family, whose sizes are random models of many families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import families
from standins.benchmarks import save_benchmark
from standins.models import save_clip
from standins.study import RECIPES, data_record, save_recipes
from standins.training_data import save_training_data

#: Study (it has the name of its encoder's family) -> the language models of its grid: one with a
#: template of its own, one whose template the config names, one with a sliding window. All families are
#: trained in tests/unit/models/test_families.py.
STUDIES = {"clip": ("qwen3", "vicuna"), "siglip": ("mistral",)}
#: The study whose training images are encoded once, before training.
CACHED = "siglip"
BENCHMARK, TOKENS = "pope", 4


def save_family_studies(folder: Path, config: Path) -> None:
    """Write models, encoders, data and recipes under ``folder``, and the config that uses them."""
    save_training_data(folder / "data", folder / "manifest.yaml")
    save_benchmark(folder / "hub" / BENCHMARK, BENCHMARK)
    save_recipes(folder / "recipes")
    save_clip(folder / "hub" / "clip")
    families.save_siglip(folder / "hub" / "siglip")
    names = [name for grid in STUDIES.values() for name in grid]
    for name in names:
        families.save_llm(folder / "hub" / name, name)
    content = {
        "run": list(STUDIES),
        "llms": [_llm(folder, name, size) for size, name in enumerate(names, start=1)],
        "vision": [{"name": name, "grid": 6, "hub": str(folder / "hub" / name)} for name in STUDIES],
        "data": [data_record(folder, "conversations")],
        "studies": [_study(folder, name, grid) for name, grid in STUDIES.items()],
    }
    config.write_text(yaml.safe_dump(content))


def _llm(folder: Path, name: str, size: int) -> dict[str, Any]:
    template = families.FAMILIES[name].named
    return {"name": name, "params_b": size, "hub": str(folder / "hub" / name), "template": template}


def _study(folder: Path, encoder: str, grid: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": encoder,
        "question": "Does a model of any family go through the whole study?",
        "training": {
            "data": "conversations",
            "recipes": {stage: str(folder / "recipes" / f"{stage}.yaml") for stage in RECIPES},
            "overrides": {stage: ["max_length=512"] for stage in RECIPES},  # their positions
            "features": encoder == CACHED,
            "benchmarks": [{"name": BENCHMARK, "source": str(folder / "hub" / BENCHMARK)}],
        },
        "vision": encoder,
        "llms": list(grid),
        "compressors": [{"name": "tokenpacker", "tokens": [TOKENS]}],
        "fit": {"laws": []},
        "suites": [
            {"name": "visual_reasoning", "title": "POPE", "role": "reasoning", "benchmarks": [BENCHMARK]}
        ],
    }
