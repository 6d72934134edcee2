"""The status of a whole study: every stage of every cell, totals, and the expected end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from paretoken.config.config import Config
from paretoken.config.devices import DEVICES
from paretoken.config.study import FrozenStudy, Study
from paretoken.jobs.expected_jobs import cell_jobs, source_jobs, stages_of
from paretoken.jobs.job_states import STATES, State, state_of, together
from paretoken.jobs.signs_of_life import Signs
from paretoken.plan.calibration import read_measured
from paretoken.plan.from_config import STAGES, Stage
from paretoken.plan.stage_estimate import Estimate, estimate
from paretoken.study.grid import Cell, cells
from paretoken.study.paths import reads_features, results, trained_folder


@dataclass(frozen=True)
class CellStatus:
    """The states of the stages of one cell."""

    cell: Cell
    stages: Mapping[str, State]


@dataclass(frozen=True)
class Remaining:
    """The expected end of a study.

    Attributes:
        seconds: seconds from now.
        jobs: number of jobs that run at a time, now.
        finished: number of finished stages that the estimate uses.
    """

    seconds: float
    jobs: int
    finished: int


@dataclass(frozen=True)
class StudyStatus:
    """The status of a study.

    Attributes:
        study: its name.
        cells: in the order of the grid.
        sources: states of the sources of cells, by name.
        remaining: None if nothing has finished yet, or nothing is left.
        quiet_s: largest age of a running job's heartbeat, in seconds.
        report: the study's report, if it exists.
        complaint: why SLURM's queue is not known; empty if it is, or if there is no SLURM here.
    """

    study: str
    cells: Sequence[CellStatus]
    sources: Mapping[str, State]
    remaining: Remaining | None
    quiet_s: float
    report: Path | None = None
    complaint: str = ""

    @property
    def finished(self) -> bool:
        """Whether every cell is done and the report exists."""
        return self.report is not None and self.cells_by_state()["done"] == len(self.cells)

    def cells_by_state(self) -> dict[str, int]:
        """Return how many cells are done (in all stages), running, queued, failed, or left."""
        numbers = Counter(together([*found.stages.values()]).state for found in self.cells)
        return {state: numbers[state] for state in STATES}

    def cells_by_stage(self) -> dict[str, dict[str, int]]:
        """Return how many cells are in which state, by stage."""
        stages: dict[str, Counter[str]] = {}
        for found in self.cells:
            for stage, state in found.stages.items():
                stages.setdefault(stage, Counter())[state.state] += 1
        return {stage: {name: found[name] for name in STATES} for stage, found in stages.items()}


def study_status(config: Config, study: Study, signs: Signs) -> StudyStatus:
    """Return the status of a study, with the state of every stage of every cell.

    Args:
        config: the whole config.
        study: one of its studies, measured or trained.
        signs: signs of running jobs, see `paretoken.jobs.signs_of_life.gather_signs`.
    """
    frozen = config.freeze(study.name)
    sources: dict[str, State] = {}
    shared: dict[tuple[str, int, bool], State] = {}
    found = []
    for cell in cells(study):
        key = (cell.llm, cell.seed, reads_features(frozen, cell.compressor, cell.tokens))
        if key not in shared:
            jobs = {str(job.out): job for job in source_jobs(frozen, cell)}
            sources |= {
                name: state_of([job], signs) for name, job in jobs.items() if name not in sources
            }
            shared[key] = together([sources[name] for name in jobs])
        states = {**_cell_states(frozen, cell, signs), "sources": shared[key]}
        found.append(CellStatus(cell, {stage: states[stage] for stage in stages_of(study)}))
    remaining = None if study.training is None else _remaining(config, study, found)
    page = results(study.name) / "report.html"
    report = page if page.exists() else None
    return StudyStatus(study.name, found, sources, remaining, signs.quiet_s, report, signs.complaint)


def _cell_states(frozen: FrozenStudy, cell: Cell, signs: Signs) -> dict[str, State]:
    folders = [cell.folder(frozen.study.name), trained_folder(frozen, cell)]
    if not any(folder.is_dir() for folder in folders):  # most of a large grid, at first
        return dict.fromkeys(stages_of(frozen.study), State("missing"))
    return {stage: state_of(jobs, signs) for stage, jobs in cell_jobs(frozen, cell).items()}


def _remaining(config: Config, study: Study, found: Sequence[CellStatus]) -> Remaining | None:
    """Estimate the remaining time from plans, corrected by the durations of finished stages.

    Only ratios between stages come from the plans, so the device that they are for does not matter.
    """
    ratios: dict[str, list[float]] = {}
    left: list[tuple[str, float]] = []
    if all(status.stages[stage].state != "done" for status in found for stage in STAGES):
        return None
    plans: dict[tuple[Cell, Stage], Estimate] = {}
    side = config.freeze(study.name).vision.grid
    counted: set[tuple[Cell, Stage]] = set()
    for status in found:
        for stage in STAGES:
            job = status.cell if stage == "predict" else status.cell.trained(side), stage
            if job in counted:  # cells of an elastic model share their training
                continue
            counted.add(job)
            key = replace(job[0], seed=0), stage  # seeds take equally long
            if key not in plans:
                plans[key] = estimate(config, study, job[0], stage, DEVICES[0])
            planned = plans[key]
            state = status.stages[stage]
            if state.state != "done":
                left.append((stage, (1 - state.share) * planned.duration.seconds))
            elif (took := _took(study, job[0], planned)) is not None:
                ratios.setdefault(stage, []).append(took / planned.duration.seconds)
    ratio = {stage: median(values) for stage, values in ratios.items()}
    if not ratio or not left:
        return None
    overall = median(value for values in ratios.values() for value in values)
    running = sum(cell.stages[stage].state == "running" for cell in found for stage in STAGES)
    jobs = max(1, running)
    seconds = sum(expected * ratio.get(stage, overall) for stage, expected in left) / jobs
    return Remaining(seconds, jobs, sum(map(len, ratios.values())))


def _took(study: Study, cell: Cell, planned: Estimate) -> float | None:
    """Return the wall-clock seconds of a finished stage; None if they are not recorded."""
    folder = cell.folder(study.name)
    if planned.stage == "predict":
        return _benchmarked(sorted((folder / "benchmarks").glob("predict*.tsv")))
    measured = read_measured(folder / planned.stage)
    return None if measured is None else measured.wall + planned.duration.start


def _benchmarked(paths: Sequence[Path]) -> float | None:
    """Return the sum of the seconds in Snakemake's benchmark files."""
    try:
        return sum(float(p.read_text().split("\n")[1].split("\t")[0]) for p in paths) or None
    except (OSError, ValueError, IndexError):
        return None
