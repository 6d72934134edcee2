"""Which jobs a study consists of, and the files that each leaves: the rules' shapes of paths."""

from __future__ import annotations

from pathlib import Path

from paretoken.config import Study
from paretoken.grid import Cell
from paretoken.planning.records import harnessed
from paretoken.progress.states import Job

#: Stages of a cell, in their order; a measured study has only the last.
TRAINED_STAGES = ("sources", "pretrain", "finetune", "predict", "score")
MEASURED_STAGES = ("cell",)
#: The miniature answers these in one job, whichever its suites use.
MINIATURE_ANSWERS = ("fact", "number", "property", "read_sparse", "read_dense", "name")


def stages_of(study: Study) -> tuple[str, ...]:
    """Return the stages of a study's cells."""
    return MEASURED_STAGES if study.training is None else TRAINED_STAGES


def cell_jobs(study: Study, cell: Cell, side: int) -> dict[str, Job]:
    """Return the jobs of one cell by stage, sources left out.

    Args:
        study: whose cell it is.
        cell: the cell.
        side: patches per side of the encoder's grid; cells of elastic models share their training.
    """
    folder, trained = cell.folder(study.name), cell.trained(side).folder(study.name)
    logs = folder / "logs"
    if study.training is None:
        return {"cell": Job("cell", [folder / "errors.csv"], [logs / "cell.log"])}
    miniature = study.training.kind == "miniature"
    names = MINIATURE_ANSWERS if miniature else tuple(study.benchmarks)
    other = harnessed(study)  # lmms-eval asks and scores in one job
    answers = [
        folder / (f"scores/{name}.json" if name in other else f"answers/{name}.parquet")
        for name in names
    ]
    scores = [folder / "scores" / f"{name}.json" for name in study.benchmarks]
    one = ["predict"] if miniature else [f"predict-{name}" for name in names]
    scoring = (
        ["score"] if miniature else [f"score-{name}" for name in study.benchmarks if name not in other]
    )
    return {
        **{stage: _training_job(trained, stage) for stage in ("pretrain", "finetune")},
        "predict": Job("predict", answers, [logs / f"{name}.log" for name in one]),
        "score": Job(
            "score",
            [*scores, folder / "errors.csv"],
            [*(logs / f"{name}.log" for name in scoring), logs / "cell-scores.log"],
        ),
    }


def _training_job(folder: Path, stage: str) -> Job:
    out = folder / stage
    log = folder / "logs" / f"{stage}.log"
    return Job(stage, [out / "run.json"], [log], [out], out / "checkpoints")


def source_jobs(study: Study, cell: Cell) -> list[Job]:
    """Return the jobs that make what a cell starts from; cells share most of them."""
    if study.training is None:
        return []
    sources = Path("results", study.name, "sources")
    if study.training.kind == "miniature":
        return _miniature_sources(sources / f"s{cell.seed}", cell)
    logs = sources / "logs"
    jobs = [
        _source(f"llms/{cell.llm}", sources, "run.json", logs / f"fetch-{cell.llm}.log"),
        _source("vision", sources, "run.json", logs / "fetch-vision.log"),
    ]
    for stage in ("pretrain", "finetune"):
        log = logs / f"tokenize-{stage}-{cell.llm}.log"
        jobs.append(_source(f"data/{stage}", sources, "run.json", logs / f"data-{stage}.log"))
        jobs.append(_source(f"tokens/{stage}/{cell.llm}", sources, "index.json", log))
    for name in [name for name in study.benchmarks if name not in harnessed(study)]:
        log = logs / f"questions-{name}.log"
        jobs.append(_source(f"questions/{name}", sources, "run.json", log))
    return jobs


def _miniature_sources(sources: Path, cell: Cell) -> list[Job]:
    logs = sources / "logs"
    return [
        _source("data", sources, "run.json", logs / "miniature-data.log"),
        _source("vision", sources, "run.json", logs / "pretrain-vision.log"),
        _source(f"llms/{cell.llm}", sources, "run.json", logs / f"pretrain-llm-{cell.llm}.log"),
        _source("features", sources, "index.json", logs / "features.log"),
        _source("tokens/pretrain", sources, "index.json", logs / "tokenize-pretrain.log"),
        _source("tokens/finetune", sources, "index.json", logs / "tokenize-finetune.log"),
    ]


def _source(name: str, sources: Path, last: str, log: Path) -> Job:
    out = sources / name
    return Job(name, [out / last], [log], [out])
