"""The duration of a stage, its tokens per second, and its model FLOPs utilisation (MFU)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from paretoken.config.devices import Device, find_device


@dataclass
class Spent:
    """Seconds spent on a run, including its earlier, killed attempts."""

    wall: float = 0.0
    cpu: float = 0.0

    def __post_init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def total(self) -> dict[str, float]:
        """Return wall and CPU seconds up to now."""
        return {
            "wall_s": self.wall + time.monotonic() - self._wall,
            "cpu_s": self.cpu + time.process_time() - self._cpu,
        }


@dataclass(frozen=True)
class StepWork:
    """Tokens (padding left out) and FLOPs of every optimiser step, over all devices.

    FLOPs are those of the model (forward and backward pass). Recomputation to save memory is not
    counted, so that utilisations with and without gradient checkpointing can be compared.
    """

    tokens: NDArray[np.int64]
    flops: NDArray[np.float64]


def this_device() -> tuple[str, Device | None]:
    """Return the device's name, and its entry in `paretoken.config.devices` or None."""
    if not torch.cuda.is_available():
        return "cpu", None
    name = torch.cuda.get_device_name()
    return name, find_device(name)


def utilisation(flops: float, seconds: float, devices: int, device: Device | None) -> float | None:
    """Return the share of the devices' peak FLOPs that was used; None if the peak is unknown."""
    if device is None or seconds <= 0:
        return None
    return flops / (seconds * devices * device.peak_tflops * 1e12)


class Speed(TrainerCallback):
    """A callback that measures the speed of a run.

    Args:
        work: tokens and FLOPs of each step.
        devices: number of devices that share the work.
    """

    def __init__(self, work: StepWork, devices: int) -> None:
        self.work, self.devices = work, devices
        self.name, self.device = this_device()
        self._start = self._last = (0, time.monotonic())
        self._end = self._start

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock."""
        self._start = self._last = self._end = (state.global_step, time.monotonic())

    def lap(self, step: int) -> dict[str, float]:
        """Return the speed since the last call, at the end of ``step``."""
        before, self._last = self._last, (step, time.monotonic())
        self._end = self._last
        measured = self._between(before, self._last)
        return {name: value for name, value in measured.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """Return the speed from the start (or resumption) of training to the last `lap`."""
        known = None if self.device is None else self.device.peak_tflops
        return {
            **self._between(self._start, self._end),
            "device": self.name,
            "devices": self.devices,
            "peak_tflops": known,  # None: the device is not in the table, so mfu is None
        }

    def _between(self, start: tuple[int, float], end: tuple[int, float]) -> dict[str, float | None]:
        steps, seconds = slice(start[0], end[0]), end[1] - start[1]
        if end[0] <= start[0] or seconds <= 0:
            return {"tokens_per_s": None, "mfu": None}
        flops = float(self.work.flops[steps].sum())
        return {
            "tokens_per_s": float(self.work.tokens[steps].sum()) / seconds,
            "mfu": utilisation(flops, seconds, self.devices, self.device),
        }
