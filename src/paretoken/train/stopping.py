"""Stopping training before the time limit of its job.

SLURM sends ``SIGUSR1`` some time before a job's limit (the profile requests it) to every process of the
job step that `paretoken launch` started. Training finishes the current step and writes a checkpoint;
the same command then resumes from it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class StopSignal(TrainerCallback):
    """A callback that ends training after the step in which all processes have learned of the signal.

    Attributes:
        seen: whether this process has received the signal.
        agreed: whether any process had received it when the processes last exchanged their losses.
    """

    def __init__(self) -> None:
        self.seen = self.agreed = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signal within a ``with`` block."""
        before = signal.signal(signal.SIGUSR1, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGUSR1, before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.seen = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Request a checkpoint and the end of training."""
        if self.agreed and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True
