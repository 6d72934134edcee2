"""Where a study keeps what its cells are made of and what they leave: the one place that knows."""

from __future__ import annotations

from pathlib import Path

from paretoken.compressors.specification import specification
from paretoken.config.asked import WORLD
from paretoken.config.study import FrozenStudy, Study
from paretoken.study.grid import Cell

#: Sources lie here, below the folder of a study; those that are generated in a folder per seed.
SOURCES = "sources"
#: Features of all images of a world are one store, as its stages share images.
ALL = "all"
#: Where the questions of a world are in its folder.
WORLD_QUESTIONS = "questions/questions.parquet"


def results(study: str) -> Path:
    """Return the folder of a study, relative to the project."""
    return Path("results", study)


def sources(frozen: FrozenStudy, seed: int) -> Path:
    """Return where the sources of a cell lie: generated ones are made anew for each seed."""
    folder = results(frozen.study.name) / SOURCES
    return folder / f"s{seed}" if frozen.generated else folder


def llm_folder(frozen: FrozenStudy, llm: str, seed: int) -> Path:
    """Return the folder of a language model."""
    return sources(frozen, seed) / "llms" / llm


def vision_folder(frozen: FrozenStudy, seed: int) -> Path:
    """Return the folder of the encoder."""
    return sources(frozen, seed) / "vision"


def data_folder(frozen: FrozenStudy, stage: str, seed: int) -> Path:
    """Return the folder of a stage's training data; a world is written as a whole."""
    folder = sources(frozen, seed) / "data"
    return folder if frozen.generated else folder / stage


def vocabulary(frozen: FrozenStudy, llm: str) -> str:
    """Return whose tokens conversations are written in: all models of a world share its words."""
    return WORLD if frozen.generated else llm


def encoded_folder(frozen: FrozenStudy, stage: str, llm: str, seed: int) -> Path:
    """Return the folder of a stage's conversations as token ids."""
    return sources(frozen, seed) / "encoded" / stage / vocabulary(frozen, llm)


def features_folder(frozen: FrozenStudy, stage: str, seed: int) -> Path:
    """Return the folder of the stored features of a stage's images."""
    return sources(frozen, seed) / "features" / (ALL if frozen.generated else stage)


def reads_features(frozen: FrozenStudy, compressor: str, tokens: int) -> bool:
    """Whether a cell reads stored features: no use to a compressor that makes images smaller."""
    training = frozen.study.training
    shrinks = tokens > 0 and specification(compressor).smaller_images
    return training is not None and training.features and not shrinks


def asked(frozen: FrozenStudy) -> list[str]:
    """Return the benchmarks whose questions a cell answers, a job for each."""
    study = frozen.study
    if study.training is None:
        return []
    if frozen.generated:
        return [WORLD]
    other = study.training.harnessed()
    return [name for name in study.benchmarks if name not in other]


def harnessed(study: Study) -> list[str]:
    """Return the benchmarks of a study that lmms-eval asks and scores."""
    return study.training.harnessed() if study.training else []


def questions_record(frozen: FrozenStudy, benchmark: str, seed: int) -> Path:
    """Return the file that says that a benchmark's questions are there."""
    folder = sources(frozen, seed)
    return (folder / "data" if frozen.generated else folder / "questions" / benchmark) / "run.json"


def questions_file(frozen: FrozenStudy, benchmark: str, seed: int) -> Path:
    """Return the file of a benchmark's questions."""
    folder = questions_record(frozen, benchmark, seed).parent
    return folder / (WORLD_QUESTIONS if frozen.generated else "questions.parquet")


def trained_folder(frozen: FrozenStudy, cell: Cell) -> Path:
    """Return the folder of the training that a cell rests on: elastic ones share one."""
    return cell.trained(frozen.vision.grid).folder(frozen.study.name)
