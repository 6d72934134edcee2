"""The jobs of a study and the files that they write, by the paths of the workflow's rules."""

from __future__ import annotations

from pathlib import Path

from paretoken.config.study import FrozenStudy, Study
from paretoken.jobs.job_states import Job
from paretoken.study.grid import Cell
from paretoken.study.paths import (
    asked,
    data_folder,
    encoded_folder,
    features_folder,
    harnessed,
    llm_folder,
    questions_record,
    reads_features,
    sources,
    trained_folder,
    vision_folder,
)

#: Stages of a cell, in their order, in trained and in measured studies.
TRAINED_STAGES = ("sources", "pretrain", "finetune", "predict", "score")
MEASURED_STAGES = ("cell",)
#: Sources of which the file that is written last is an index.
INDEXED = ("encoded", "features")


def stages_of(study: Study) -> tuple[str, ...]:
    """Return the stages of a study's cells."""
    return MEASURED_STAGES if study.training is None else TRAINED_STAGES


def cell_jobs(frozen: FrozenStudy, cell: Cell) -> dict[str, list[Job]]:
    """Return the jobs of one cell by stage, without sources; elastic cells share their training.

    Args:
        frozen: the study of the cell.
        cell: the cell.
    """
    study = frozen.study
    folder = cell.folder(study.name)
    logs = folder / "logs"
    if study.training is None:
        return {"cell": [_file(folder / "errors.csv", logs / "cell.log")]}
    trained = trained_folder(frozen, cell)
    own, other = asked(frozen), harnessed(study)
    answers, scores = folder / "answers", folder / "scores"
    predict = [_file(answers / f"{name}.parquet", logs / f"predict-{name}.log") for name in own]
    score = [_file(scores / f"{name}.json", logs / f"score-{name}.log") for name in own]
    # lmms-eval predicts and scores in one job.
    both = [_file(scores / f"{name}.json", logs / f"predict-{name}.log") for name in other]
    last = _file(folder / "errors.csv", logs / "cell-scores.log")
    return {
        **{stage: [_training_job(trained, stage)] for stage in ("pretrain", "finetune")},
        "predict": [*predict, *both],
        "score": [*score, *both, last],
    }


def _file(result: Path, log: Path) -> Job:
    """Return the run of a command that writes one file."""
    return Job(result, result, log)


def _training_job(folder: Path, stage: str) -> Job:
    out = folder / stage
    return Job(out / "run.json", out, folder / "logs" / f"{stage}.log")


def source_jobs(frozen: FrozenStudy, cell: Cell) -> list[Job]:
    """Return the jobs that make the sources of a cell; cells share most of them."""
    if frozen.study.training is None:
        return []
    llm, seed = cell.llm, cell.seed
    folder = sources(frozen, seed)
    logs, made = folder / "logs", frozen.generated
    models = (
        ("pretrain-llm-" + llm, "pretrain-vision") if made else (f"fetch/llms/{llm}", "fetch/vision")
    )
    found = {
        llm_folder(frozen, llm, seed): models[0],
        vision_folder(frozen, seed): models[1],
    }
    for stage in ("pretrain", "finetune"):
        found[data_folder(frozen, stage, seed)] = "world" if made else f"data-{stage}"
        encoded = encoded_folder(frozen, stage, llm, seed)
        found[encoded] = f"tokenize-{stage}-{encoded.name}"
        if reads_features(frozen, cell.compressor, cell.tokens):
            features = features_folder(frozen, stage, seed)
            found[features] = f"features-{features.name}"
    for name in [] if made else asked(frozen):
        found[questions_record(frozen, name, seed).parent] = f"questions-{name}"
    return [_source(out, folder, logs / f"{log}.log") for out, log in found.items()]


def _source(out: Path, sources: Path, log: Path) -> Job:
    last = "index.json" if out.relative_to(sources).parts[0] in INDEXED else "run.json"
    return Job(out / last, out, log)
