"""The values that plans read from the config; no other module of plans uses the names of its keys."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from paretoken.compressors.specification import specification
from paretoken.config.study import Study
from paretoken.config.training import Training
from paretoken.errors import UserError
from paretoken.io.files import read_json
from paretoken.train.recipe import Recipe, read_recipe

Stage = Literal["pretrain", "finetune", "predict"]
STAGES: tuple[Stage, ...] = get_args(Stage)

#: The project's table of the dimensions of published language models.
DIMENSIONS = "workflow/reference/llm_dimensions.csv"


def training_of(study: Study) -> Training:
    """Return how a study trains its cells (`UserError` if they were measured elsewhere)."""
    if study.training is None:
        raise UserError(
            f"study {study.name} trains nothing: its errors come from {study.measured}, so there is "
            "nothing to plan; name a study with `training:`"
        )
    return study.training


def stage_recipe(training: Training, stage: Stage) -> Recipe:
    """Return the recipe of a training stage, with the study's overrides."""
    overrides, path = getattr(training.overrides, stage), Path(getattr(training.recipes, stage))
    return _recipe(path, stage, tuple(overrides), _written(path))


def _written(path: Path) -> tuple[Path, int]:
    """Return the absolute path of a file and its time of modification, as a cache key."""
    return path.absolute(), path.stat().st_mtime_ns if path.exists() else 0


@lru_cache
def _recipe(path: Path, stage: str, overrides: tuple[str, ...], written: tuple[Path, int]) -> Recipe:
    pairs = [(key, value) for key, _, value in (text.partition("=") for text in overrides)]
    return read_recipe(path, stage, pairs)


def zero_of(training: Training, stage: Stage) -> int | None:
    """Return the ZeRO stage of a recipe's DeepSpeed file; None without a readable file."""
    name = stage_recipe(training, stage).deepspeed
    return None if name is None else _zero(Path(getattr(training.recipes, stage)).parent / name)


@lru_cache
def _zero(path: Path) -> int | None:
    try:
        return int(read_json(path)["zero_optimization"]["stage"])
    except (UserError, ValueError, OverflowError, KeyError, IndexError, TypeError):
        return None


def dimensions_file(study: Study) -> Path:
    """Return the table of shapes that a study names, or the project's own."""
    named = study.published.dimensions if study.published else None
    return Path(named or DIMENSIONS)


def joined_layers(training: Training | None, compressor: str, depth: int) -> int:
    """Return how many layers of an encoder with ``depth`` layers a compressor reads, concatenated."""
    named = training.layers if training else None
    return len(named or specification(compressor).layers(depth))
