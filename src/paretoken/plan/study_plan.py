"""The plan of a whole study on one kind of GPU: one line per cell and stage, and sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretoken.config.config import Config
from paretoken.config.devices import Device
from paretoken.config.study import Study
from paretoken.costs.gpu_memory import GIB
from paretoken.plan.calibration import (
    Correction,
    Measured,
    corrected,
    corrections,
    read_measured,
)
from paretoken.plan.from_config import STAGES, Stage
from paretoken.plan.stage_estimate import Estimate, estimate
from paretoken.study.grid import Cell, cells

#: Columns of the plan as CSV and JSON; sizes in GiB (2^30 bytes), times in hours.
COLUMNS = (
    "study", "llm", "compressor", "visual_tokens", "seed", "stage", "device", "parameters", "trained",
    "steps", "conversations", "tokens", "flops", "gpus", "zero", "memory_gib", "fits", "remedy",
    "hours", "gpu_hours", "bound", "disk_gib", "measured_hours", "measured_memory_gib", "cost",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A stage of a cell: the (corrected) estimate, and the measurement if the stage is finished."""

    planned: Estimate
    measured: Measured | None


@dataclass(frozen=True)
class Plan:
    """The plan of a study on one kind of GPU.

    Attributes:
        study: name of the study.
        device: kind of GPU.
        lines: stages of cells, in the order of the grid.
        corrections: corrections from finished stages, by stage.
        price: price of one GPU-hour; None: unknown.
        budget: GPU-hours that the study may take; None: no limit.
    """

    study: str
    device: Device
    lines: Sequence[Line]
    corrections: dict[Stage, Correction]
    price: float | None
    budget: float | None

    @property
    def gpu_hours(self) -> float:
        """Sum over all cells and stages: measured for finished stages, estimated for the others."""
        return sum(gpu_hours(line) for line in self.lines)

    @property
    def over_budget(self) -> bool:
        """Whether the study would take more than its budget."""
        return self.budget is not None and self.gpu_hours > self.budget

    @property
    def kept_bytes(self) -> float:
        """Disk space of all results in the end."""
        return sum(line.planned.kept for line in self.lines)

    def too_large(self) -> list[Line]:
        """Return the stages that do not fit the device."""
        return [line for line in self.lines if line.planned.fits is False]


def plan_study(
    config: Config,
    study: Study,
    device: Device,
    utilisation: float | None = None,
    price: float | None = None,
    budget: float | None = None,
) -> Plan:
    """Estimate every stage of every cell, and correct the estimates by the times of finished stages.

    Args:
        config: the whole config.
        study: a trained study of it.
        device: kind of GPU.
        utilisation: share of its peak, for all stages; None: each stage's default. With a number,
            nothing is corrected.
        price: price of one GPU-hour.
        budget: GPU-hours that the study may take; None: its `budget_gpu_hours`.

    Raises:
        UserError: the study trains nothing, or a recipe or table cannot be read.
    """
    lines = []
    side = config.freeze(study.name).vision.grid
    for cell, stage in planned_stages(cells(study), side):
        planned = estimate(config, study, cell, stage, device, utilisation)
        done = None if stage == "predict" else read_measured(Path(cell.folder(study.name)) / stage)
        lines.append(Line(planned, done))
    pairs = [(line.planned, line.measured) for line in lines if line.measured is not None]
    found = corrections(pairs, device.peak_tflops) if utilisation is None else {}
    lines = [Line(corrected(line.planned, found), line.measured) for line in lines]
    limit = budget if budget is not None else study.budget_gpu_hours
    return Plan(study.name, device, lines, found, price, limit)


def planned_stages(grid: Sequence[Cell], side: int) -> list[tuple[Cell, Stage]]:
    """Return every job of a grid's cells; a training that cells share is listed once, with its own V.

    Args:
        grid: the cells, in the order of the plan.
        side: patches per side of the encoder's grid.
    """
    jobs = [
        (cell if stage == "predict" else cell.trained(side), stage) for cell in grid for stage in STAGES
    ]
    return list(dict.fromkeys(jobs))


def gpu_hours(line: Line) -> float:
    """Return the GPU-hours of a stage: measured if it is finished, estimated otherwise."""
    if line.measured is not None:
        return line.measured.gpus * line.measured.seconds / 3600
    return line.planned.gpu_hours


def rows(plan: Plan) -> list[dict[str, Any]]:
    """Return the plan as rows with the columns `COLUMNS`."""
    return [_row(plan, line) for line in plan.lines]


def _row(plan: Plan, line: Line) -> dict[str, Any]:
    planned, cell, work = line.planned, line.planned.cell, line.planned.work
    return {
        "study": plan.study,
        "llm": cell.llm,
        "compressor": cell.compressor,
        "visual_tokens": cell.tokens,
        "seed": cell.seed,
        "stage": planned.stage,
        "device": plan.device.name if planned.gpus else "cpu",
        "parameters": work.parameters,
        "trained": work.trained,
        "steps": work.steps,
        "conversations": round(work.conversations),
        "tokens": round(work.tokens),
        "flops": work.flops,
        "gpus": planned.gpus,
        "zero": planned.zero,
        "memory_gib": planned.memory_gib,
        "fits": planned.fits,
        "remedy": planned.remedy,
        "hours": planned.duration.seconds / 3600,
        "gpu_hours": gpu_hours(line),
        "bound": planned.duration.bound,
        "disk_gib": planned.disk / GIB,
        "measured_hours": None if line.measured is None else line.measured.seconds / 3600,
        "measured_memory_gib": None if line.measured is None else line.measured.memory_gib,
        "cost": None if plan.price is None else plan.price * gpu_hours(line),
    }


def totals(plan: Plan) -> dict[str, Any]:
    """Return sums over the whole study and per stage."""
    stages = {
        stage: {
            "flops": sum(line.planned.work.flops for line in plan.lines if line.planned.stage == stage),
            "hours": sum(_hours(line) for line in plan.lines if line.planned.stage == stage),
            "gpu_hours": sum(gpu_hours(line) for line in plan.lines if line.planned.stage == stage),
        }
        for stage in STAGES
    }
    return {
        "study": plan.study,
        "device": plan.device.name,
        "cells": sum(line.planned.stage == "predict" for line in plan.lines),
        "stages": stages,
        "flops": sum(line.planned.work.flops for line in plan.lines),
        "hours": sum(_hours(line) for line in plan.lines),
        "gpu_hours": plan.gpu_hours,
        "finished_stages": sum(line.measured is not None for line in plan.lines),
        "kept_gib": plan.kept_bytes / GIB,
        "peak_gib_of_one_job": max(line.planned.disk for line in plan.lines) / GIB,
        "does_not_fit": len(plan.too_large()),
        "price": plan.price,
        "cost": None if plan.price is None else plan.price * plan.gpu_hours,
        "budget_gpu_hours": plan.budget,
        "over_budget": plan.over_budget,
    }


def _hours(line: Line) -> float:
    seconds = line.planned.duration.seconds if line.measured is None else line.measured.seconds
    return seconds / 3600
