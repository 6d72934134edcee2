"""The energy that a device has used: NVML's counter of a GPU, or RAPL's of a processor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

#: Folder of the kernel with one counter per processor package, in microjoules.
RAPL = Path("/sys/class/powercap")
MILLI, MICRO = 1e-3, 1e-6


@dataclass(frozen=True)
class Meter:
    """An energy counter.

    Attributes:
        joules: returns the joules used since a fixed time in the past.
        source: name of the counter.
    """

    joules: Callable[[], float]
    source: str

    @classmethod
    def of(cls, device: torch.device) -> Meter | None:
        """Return the meter of a device; None if it is missing or not readable."""
        return _gpu(device) if device.type == "cuda" else _processor()


def _gpu(device: torch.device) -> Meter | None:
    """Return NVML's counter, which GPUs since Volta have; None without it, the driver or pynvml."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except pynvml.NVMLError:
        return None

    def joules() -> float:
        try:
            return MILLI * int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        except pynvml.NVMLError:
            return math.nan

    return None if math.isnan(joules()) else Meter(joules, "NVML")


def _processor() -> Meter | None:
    """Return the sum of RAPL's package counters; with most kernels, only root can read them."""
    counters = sorted(RAPL.glob("intel-rapl:[0-9]*/energy_uj"))
    packages = [path for path in counters if path.parent.name.count(":") == 1]

    def joules() -> float:
        return MICRO * sum(int(path.read_text()) for path in packages)

    try:
        return Meter(joules, "RAPL") if packages and joules() > 0 else None
    except (OSError, ValueError):
        return None
