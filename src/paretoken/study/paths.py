"""Paths of a study's sources and results; no other module defines them."""

from __future__ import annotations

from pathlib import Path

from paretoken.compressors.specification import specification
from paretoken.config.asked import WORLD
from paretoken.config.study import FrozenStudy, Study
from paretoken.study.grid import Cell

#: Folder of the sources, below that of the study. Generated sources have a folder per seed below it.
SOURCES = "sources"
#: Folder of the features of a world, which has one store for both stages, since they share images.
ALL = "all"
#: Links of `paretoken data` to conversations, whatever their format, and to the folder of images.
CONVERSATIONS, IMAGES = "conversations", "images"
#: Path of the questions of a world, below its folder.
WORLD_QUESTIONS = "questions/questions.parquet"


def results(study: str) -> Path:
    """Return the folder of a study, relative to the project."""
    return Path("results", study)


def sources(frozen: FrozenStudy, seed: int) -> Path:
    """Return the folder of the sources of a cell; generated sources have one per seed."""
    folder = results(frozen.study.name) / SOURCES
    return folder / f"s{seed}" if frozen.generated else folder


def llm_folder(frozen: FrozenStudy, llm: str, seed: int) -> Path:
    """Return the folder of a language model."""
    return sources(frozen, seed) / "llms" / llm


def vision_folder(frozen: FrozenStudy, seed: int) -> Path:
    """Return the folder of the encoder."""
    return sources(frozen, seed) / "vision"


def data_folder(frozen: FrozenStudy, stage: str, seed: int) -> Path:
    """Return the folder of a stage's training data; a world has one folder for both stages."""
    folder = sources(frozen, seed) / "data"
    return folder if frozen.generated else folder / stage


def conversations(frozen: FrozenStudy, stage: str, seed: int) -> Path:
    """Return the path of a stage's conversations: of a world, or the link of `paretoken data`."""
    folder = data_folder(frozen, stage, seed)
    return folder / (stage if frozen.generated else CONVERSATIONS)


def holds_images(frozen: FrozenStudy) -> bool:
    """Return whether the rows of the training data hold their images."""
    own = frozen.data.folder if frozen.data else None
    return own is not None and own.images is None


def images(frozen: FrozenStudy, stage: str, seed: int) -> Path:
    """Return the folder of a stage's images, or the conversations whose rows hold them."""
    if holds_images(frozen):
        return conversations(frozen, stage, seed)
    folder = data_folder(frozen, stage, seed) / IMAGES
    return folder / "train" if frozen.generated else folder


def vocabulary(frozen: FrozenStudy, llm: str) -> str:
    """Return the name of the vocabulary of encoded conversations; all models of a world share one."""
    return WORLD if frozen.generated else llm


def encoded_folder(frozen: FrozenStudy, stage: str, llm: str, seed: int) -> Path:
    """Return the folder of a stage's conversations as token ids."""
    return sources(frozen, seed) / "encoded" / stage / vocabulary(frozen, llm)


def features_folder(frozen: FrozenStudy, stage: str, seed: int) -> Path:
    """Return the folder of the stored features of a stage's images."""
    return sources(frozen, seed) / "features" / (ALL if frozen.generated else stage)


def reads_features(frozen: FrozenStudy, compressor: str, tokens: int) -> bool:
    """Return whether a cell reads stored features; compressors of smaller images cannot use them."""
    training = frozen.study.training
    shrinks = tokens > 0 and specification(compressor).smaller_images
    return training is not None and training.features and not shrinks


def asked(frozen: FrozenStudy) -> list[str]:
    """Return the benchmarks whose questions a cell answers, with one job per benchmark."""
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
    """Return the record that shows that a benchmark's questions are complete."""
    folder = sources(frozen, seed)
    return (folder / "data" if frozen.generated else folder / "questions" / benchmark) / "run.json"


def questions_file(frozen: FrozenStudy, benchmark: str, seed: int) -> Path:
    """Return the file of a benchmark's questions."""
    folder = questions_record(frozen, benchmark, seed).parent
    return folder / (WORLD_QUESTIONS if frozen.generated else "questions.parquet")


def trained_folder(frozen: FrozenStudy, cell: Cell) -> Path:
    """Return the folder of a cell's trained model; cells of an elastic compressor share one."""
    return cell.trained(frozen.vision.grid).folder(frozen.study.name)
