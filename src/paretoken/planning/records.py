"""What planning reads from the config: the only place that knows the names of its keys."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from paretoken.compressors.specification import specification
from paretoken.config import Config, LlavaTraining, Study
from paretoken.errors import UserError
from paretoken.files import read_json
from paretoken.grid import Cell
from paretoken.train.recipe import Recipe, read_recipe

Stage = Literal["pretrain", "finetune", "predict"]
STAGES: tuple[Stage, ...] = get_args(Stage)

#: GPUs per stage where a record does not say; the paper's authors used 4 for both stages.
DEFAULT_GPUS = {"pretrain": 4, "finetune": 4, "predict": 1}
DEFAULT_DEVICE = "a100-80g"
DIMENSIONS = "workflow/reference/llm_dimensions.csv"


def training_of(study: Study) -> Any:
    """Return how a study trains its cells (`UserError` if they were measured elsewhere)."""
    if study.training is None:
        raise UserError(
            f"study {study.name} trains nothing: its errors come from {study.measured}, so there is "
            "nothing to plan; name a study with `training:`"
        )
    return study.training


def stage_recipe(training: Any, stage: Stage) -> Recipe:
    """Return the recipe of a training stage, with the study's changes to it."""
    overrides = getattr(getattr(training, "overrides", None), stage, [])
    path = Path(getattr(training.recipes, stage))
    return _recipe(path, stage, tuple(overrides), _written(path))


def _written(path: Path) -> tuple[Path, int]:
    """Return which file a path means and when it was written, so that another one is read anew."""
    return path.absolute(), path.stat().st_mtime_ns if path.exists() else 0


@lru_cache
def _recipe(path: Path, stage: str, overrides: tuple[str, ...], written: tuple[Path, int]) -> Recipe:
    pairs = [(key, value) for key, _, value in (text.partition("=") for text in overrides)]
    return read_recipe(path, stage, pairs)


def zero_of(training: Any, stage: Stage) -> int | None:
    """Return the ZeRO stage of a recipe's DeepSpeed file; None if the recipe names no (readable) one."""
    name = stage_recipe(training, stage).deepspeed
    return None if name is None else _zero(Path(getattr(training.recipes, stage)).parent / name)


@lru_cache
def _zero(path: Path) -> int | None:
    try:
        return int(read_json(path)["zero_optimization"]["stage"])
    except (UserError, ValueError, OverflowError, KeyError, IndexError, TypeError):
        return None


def gpus_of(record: Any, stage: Stage) -> int:
    """Return how many GPUs a language model's record gives a stage."""
    gpus = getattr(record, "gpus", None)
    return DEFAULT_GPUS[stage] if gpus is None else int(getattr(gpus, stage))


def llm_record(config: Config, llm: str) -> Any:
    """Return the record of a language model (`UserError` if there is none)."""
    for record in config.llms:
        if record.name == llm:
            return record
    raise UserError(f"the config has no language model {llm!r}")


def vision_record(config: Config, study: Study) -> Any:
    """Return the record of a study's vision encoder."""
    return next(record for record in config.vision if record.name == study.vision)


def dimensions_file(study: Study) -> Path:
    """Return the table of shapes that a study names, or the project's own."""
    named = study.published.dimensions if study.published else None
    return Path(named or DIMENSIONS)


def device_of(config: Config) -> str:
    """Return the kind of GPU that a config's jobs run on."""
    return str(getattr(config, "device", DEFAULT_DEVICE))


def budget_of(study: Study) -> float | None:
    """Return the GPU-hours that a study may cost; None: it does not say."""
    budget = getattr(study, "budget_gpu_hours", None)
    return None if budget is None else float(budget)


def joined_layers(training: Any, compressor: str, depth: int) -> int:
    """Return how many layers of an encoder of some depth a compressor sees side by side."""
    layers = getattr(training, "layers", None) or specification(compressor).layers(depth)
    return len(layers)


def harnessed(study: Study) -> list[str]:
    """Return the benchmarks of a study that lmms-eval asks and scores."""
    return study.training.harnessed() if isinstance(study.training, LlavaTraining) else []


def llm_folder(kind: str, cell: Cell, study: str) -> Path:
    """Return where a study keeps the language model that a cell starts from."""
    sources = Path("results", study, "sources")
    seeded = sources / f"s{cell.seed}" if kind == "miniature" else sources
    return seeded / "llms" / cell.llm


def tokens_folder(kind: str, cell: Cell, study: str, stage: Stage) -> Path:
    """Return where a study keeps the tokenized conversations of a stage."""
    sources = Path("results", study, "sources")
    if kind == "miniature":
        return sources / f"s{cell.seed}" / "tokens" / stage
    return sources / "tokens" / stage / cell.llm
