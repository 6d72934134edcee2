"""Progress of a training stage: a line on a terminal, lines in a log, TensorBoard files."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from paretoken.io.progress import report


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class PlainLines(TrainerCallback):
    """A callback that prints a line per logged step with loss, learning rate, speed and time left.

    Args:
        name: name of the stage, with which each line starts.
        stream: where to print; default: standard error. On a terminal, one line is overwritten.
    """

    def __init__(self, name: str, stream: TextIO | None = None) -> None:
        self.name, self.stream = name, stream or sys.stderr
        self.live = self.stream.isatty()
        self.started, self.first = time.monotonic(), 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock, and print the step from which a run resumes."""
        self.started, self.first = time.monotonic(), state.global_step
        report(self.name, state.global_step, state.max_steps)
        if state.global_step and state.is_world_process_zero:
            self._write(f"{self.name}: continues at step {state.global_step} of {state.max_steps}\n")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print a line."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        done = state.global_step - self.first
        speed = done / max(time.monotonic() - self.started, 1e-9)
        left = clock((state.max_steps - state.global_step) / speed) if speed else "?"
        line = (
            f"{self.name}: step {state.global_step}/{state.max_steps} loss {logs['loss']:.4f} "
            f"lr {logs['learning_rate']:.2e} {speed:.2f} steps/s{_throughput(logs)}, {left} left"
        )
        self._write(f"\r\x1b[K{line}" if self.live else f"{line}\n")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Record the step for `paretoken status`."""
        report(self.name, state.global_step, state.max_steps)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the line on the terminal."""
        if self.live and state.is_world_process_zero:
            self._write("\n")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _throughput(logs: dict[str, Any]) -> str:
    """Return the tokens per second and the MFU; empty for those that are unknown."""
    tokens = f" {logs['tokens_per_s']:.0f} tokens/s" if "tokens_per_s" in logs else ""
    return tokens + (f" MFU {logs['mfu']:.1%}" if "mfu" in logs else "")


class TensorBoard(TrainerCallback):
    """A callback that writes loss, learning rates and gradient norm as TensorBoard files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the finite numbers of a log entry."""
        if not state.is_world_process_zero:
            return
        writer = self._open(state.global_step)
        for name, value in (logs or {}).items():
            if isinstance(value, int | float) and math.isfinite(value) and name != "epoch":
                writer.add_scalar(f"train/{name}", value, state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, step: int) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # takes half a second

            # Points that a killed run wrote after its last checkpoint are dropped from the curves.
            self._writer = SummaryWriter(str(self.folder), purge_step=step)
        return self._writer
