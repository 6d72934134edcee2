"""Stopping before the time limit: a signal, a checkpoint, and a note that says so.

SLURM sends ``SIGUSR1`` some time before a job's limit (the profile asks for it), to every process of the
step that `paretoken launch` started. The step that is running is finished, a checkpoint is written, and
the same command, started again, goes on from it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class StopSignal(TrainerCallback):
    """Notes the signal; ends training after the step in which all processes have agreed on it.

    Attributes:
        seen: whether this process has got the signal.
        agreed: whether any process had when the last step's losses were compared.
    """

    def __init__(self) -> None:
        self.seen = self.agreed = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take note of the signal for the length of the block."""
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
        """Ask for a checkpoint and the end."""
        if self.agreed and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True
