"""The losses that a fit minimises: the sum over cells of weight x rho(residual)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoken.io.arrays import Array

#: Default residual at which a Huber loss becomes linear: that of Hoffmann et al. 2022, "Training
#: compute-optimal large language models", section 3.3.
HUBER_DELTA = 1e-3


@dataclass(frozen=True)
class Loss:
    """A loss on residuals Y - prediction, or ln Y - ln prediction.

    Attributes:
        name: as on the command line.
        log: whether residuals are differences of logarithms.
        delta: the residual at which the loss becomes linear; infinite for squares, 0 for absolute
            values.
    """

    name: str
    log: bool
    delta: float

    def rho(self, residual: Array) -> Array:
        """Return the loss of each residual: r^2; |r|; or Huber's r^2/2 and delta (|r| - delta/2)."""
        if np.isinf(self.delta):
            return residual**2
        size = np.abs(residual)
        if self.delta == 0:
            return size
        return np.where(size <= self.delta, size**2 / 2, self.delta * (size - self.delta / 2))

    def influence(self, residual: Array) -> Array:
        """Return rho'(r) / r up to a constant: the weights of iteratively reweighted least squares."""
        if np.isinf(self.delta):
            return np.ones_like(residual)
        return self.delta / np.maximum(np.abs(residual), self.delta)

    def residuals(self, observed: Array, predicted: Array) -> Array:
        """Return the residuals; infinite where the logarithm of a prediction does not exist."""
        if not self.log:
            return observed - predicted
        safe = np.where(predicted > 0, predicted, np.nan)
        return np.asarray(np.nan_to_num(np.log(observed) - np.log(safe), nan=np.inf))

    def objective(self, observed: Array, predicted: Array, weight: Array) -> Array:
        """Return the weighted sum over the last axis; a cell of weight 0 may have an infinite loss."""
        losses = np.where(weight > 0, self.rho(self.residuals(observed, predicted)), 0)
        return np.asarray((weight * losses).sum(axis=-1))


def make_loss(name: str, huber_delta: float | None = None) -> Loss:
    """Return the loss called ``name``: one of `LOSSES`; a delta of None is `HUBER_DELTA`."""
    deltas = {"squared": np.inf, "log_squared": np.inf, "l1": 0.0}
    return Loss(
        name,
        name.startswith("log_"),
        deltas.get(name, HUBER_DELTA if huber_delta is None else huber_delta),
    )


LOSSES = ("squared", "log_squared", "huber", "log_huber", "l1")
