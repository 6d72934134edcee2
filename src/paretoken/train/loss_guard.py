"""Stopping a run whose loss is not finite or diverges."""

from __future__ import annotations

import math

from paretoken.errors import UserError

#: Number of first steps whose mean loss is the reference; weight of the newest loss in the running mean.
FIRST_STEPS, NEWEST = 10, 0.1


class TrainingStoppedError(UserError):
    """Training cannot continue; the last good checkpoint is kept."""


class Guard:
    """A check of the loss and the gradient norm after every step.

    Args:
        factor: training stops when the running mean of the loss is larger than this multiple of the
            mean of the first steps.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.seen, self.first, self.running = 0, 0.0, 0.0

    def observe(self, step: int, loss: float, gradient_norm: float | None = None) -> None:
        """Check the loss and the gradient norm of a step.

        Raises:
            TrainingStoppedError: the loss or the gradient norm is not finite, or the loss diverges.
        """
        if not math.isfinite(loss):
            raise TrainingStoppedError(self._message(step, f"the loss is {loss}"))
        if gradient_norm is not None and not math.isfinite(gradient_norm):
            raise TrainingStoppedError(self._message(step, f"the gradient norm is {gradient_norm}"))
        self.seen += 1
        if self.seen <= FIRST_STEPS:
            self.first += (loss - self.first) / self.seen
            self.running = self.first
            return
        self.running += NEWEST * (loss - self.running)
        if self.running > self.factor * self.first:
            what = f"the loss rose from {self.first:.4g} at the start to {self.running:.4g}"
            raise TrainingStoppedError(self._message(step, what))

    def state(self) -> dict[str, float]:
        """Return the state to store in a checkpoint."""
        return {"seen": self.seen, "first": self.first, "running": self.running}

    def restore(self, state: dict[str, float]) -> None:
        """Restore what `state` returned."""
        self.seen = int(state["seen"])
        self.first, self.running = state["first"], state["running"]

    @staticmethod
    def _message(step: int, what: str) -> str:
        return (
            f"training stopped at step {step}: {what}. The last good checkpoint is kept; lower the "
            "learning rates, lengthen warmup or lower clip in the recipe, and start again"
        )
