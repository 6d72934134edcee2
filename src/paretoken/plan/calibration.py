"""Measured times of finished stages, and the correction of estimates that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from paretoken.config.devices import find_device
from paretoken.costs.gpu_memory import GIB
from paretoken.errors import UserError
from paretoken.io.files import read_json
from paretoken.plan.from_config import Stage
from paretoken.plan.stage_estimate import Estimate


@dataclass(frozen=True)
class Measured:
    """The time and memory that a finished training stage took.

    Attributes:
        seconds: wall-clock seconds, killed attempts included; on a CPU, CPU seconds.
        wall: wall-clock seconds.
        flops: FLOPs that its trainer counted from the data.
        gpus: number of GPUs that it ran on; 0: CPU only.
        utilisation: share of the peak of its GPUs; None on a CPU or an unknown GPU.
        memory_gib: largest memory that PyTorch allocated on a GPU, in GiB; None on a CPU.
    """

    seconds: float
    wall: float
    flops: float
    gpus: int
    utilisation: float | None
    memory_gib: float | None = None


@dataclass(frozen=True)
class Correction:
    """The ratio of measured to estimated times of a stage, without its start.

    Attributes:
        factor: median of measured over estimated seconds.
        lowest: the smallest of these ratios.
        highest: the largest of these ratios.
        stages: number of measured stages.
        utilisation: median share of the peak that they reached; None if it is unknown.
    """

    factor: float
    lowest: float
    highest: float
    stages: int
    utilisation: float | None


def read_measured(folder: Path) -> Measured | None:
    """Return the measurements in the ``run.json`` of a stage's folder; None without a usable one.

    On a CPU, CPU seconds are used, because other users of the machine increase wall-clock seconds.
    """
    try:
        record: dict[str, Any] = read_json(folder / "run.json")
        gpus = [str(name) for name in record["device"]["gpus"]]
        if not record["steps"]:  # the blind control has nothing to train in stage 1
            return None
        processes = int(record["device"].get("processes", 1))
        count = processes if gpus else 0
        wall = float(record["wall_s"])
        seconds = wall if gpus else float(record["cpu_s"])
        flops = float(record["training_flops"])
        allocated = record.get("peak_memory", {}).get("device_bytes") if gpus else None
        device = find_device(gpus[0]) if gpus else None
        share = None if device is None else flops / (seconds * count * device.peak_tflops * 1e12)
        found = Measured(seconds, wall, flops, count, share, allocated / GIB if allocated else None)
    except (UserError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError):
        return None
    return found if math.isfinite(seconds + wall + flops) else None


def corrections(
    pairs: Sequence[tuple[Estimate, Measured]], peak_tflops: float
) -> dict[Stage, Correction]:
    """Return the correction of each stage that has finished in some cell.

    A stage that ran on a known GPU is compared by its FLOP/s per GPU relative to the peak, not by its
    seconds, since it may have run on another kind or number of GPUs than planned.

    Args:
        pairs: estimates and measurements of finished stages.
        peak_tflops: peak of the device that the estimates are for.
    """
    ratios: dict[Stage, list[float]] = {}
    shares: dict[Stage, list[float]] = {}
    for planned, measured in pairs:
        seconds = measured.seconds
        if measured.utilisation is not None:
            shares.setdefault(planned.stage, []).append(measured.utilisation)
            peak = max(1, planned.gpus) * peak_tflops * 1e12
            seconds = measured.flops / (measured.utilisation * peak)
        expected = planned.duration.seconds - planned.duration.start
        ratios.setdefault(planned.stage, []).append(seconds / expected)
    return {
        stage: Correction(
            factor=median(values),
            lowest=min(values),
            highest=max(values),
            stages=len(values),
            utilisation=median(shares[stage]) if stage in shares else None,
        )
        for stage, values in ratios.items()
    }


def corrected(planned: Estimate, found: Mapping[Stage, Correction]) -> Estimate:
    """Return an estimate with its stage's correction applied."""
    if planned.stage not in found:
        return planned
    return replace(planned, duration=planned.duration.times(found[planned.stage].factor))
