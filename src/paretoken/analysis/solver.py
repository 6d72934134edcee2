"""Solve many fits at once: all refits of a study form one batch.

B problems share the (N, T) of n cells and differ in errors, weights, bounds or starts. A bootstrap
replicate has other weights or errors, a hold-out has zero weights, and a profile has equal bounds. One
vectorised routine solves them all: projected Levenberg-Marquardt, with reweighting for losses that are
not squared. Logarithms are centred, so that the unit of N changes K only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from paretoken.analysis.laws.base import EXPONENT_LIMIT, Law
from paretoken.analysis.losses import Loss
from paretoken.analysis.significance import ROUNDING
from paretoken.io.arrays import Array, Mask

#: Problems per chunk are chosen so that a Jacobian stays below this many numbers.
CHUNK_NUMBERS = 3_000_000
#: Largest floor of a law with a given error of guessing, as a share of that error.
HIGHEST_FLOOR = 0.999
#: Huber deltas, relative to the typical residual, that lead to absolute values.
L1_STAGES = (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)


@dataclass(frozen=True)
class Effort:
    """The stopping criteria: the most steps, and the relative gain in the objective that is enough."""

    steps: int
    gain: float


#: Effort for a fit that is reported: down to rounding.
FULL = Effort(400, 1e-13)
#: Effort for one of many resampled fits: to a thousandth of a standard error.
RESAMPLED = Effort(60, 1e-10)


@dataclass(frozen=True)
class Batch:
    """A batch of B problems over the same n cells.

    Attributes:
        law: the law that is fitted.
        loss: the loss that is minimised.
        log_n: centred ln N, (n,).
        log_t: centred ln T, (n,).
        y: observed errors, (B, n).
        weight: non-negative, (B, n); 0 leaves a cell out.
        lower: bounds of the parameters, (B, P).
        upper: bounds of the parameters, (B, P).
    """

    law: Law
    loss: Loss
    log_n: Array
    log_t: Array
    y: Array
    weight: Array
    lower: Array
    upper: Array

    def rows(self, index: NDArray[np.intp] | slice) -> Batch:
        """Return the problems at ``index``."""
        return replace(
            self,
            y=self.y[index],
            weight=self.weight[index],
            lower=self.lower[index],
            upper=self.upper[index],
        )

    def objective(self, values: Array) -> Array:
        """Return the objective of each problem at its parameters, (B,)."""
        predicted = self.law.evaluate(values, self.log_n, self.log_t)
        return self.loss.objective(self.y, predicted, self.weight)


def default_bounds(law: Law, count: int) -> tuple[Array, Array]:
    """Return (lower, upper), each (count, P): exponents in [0, limit], linear ones >= 0 or free.

    A fixed parameter has equal bounds; a floor lies below the error of guessing.
    """
    linear, exponents = len(law.linear), len(law.exponents)
    lower = [0.0 if law.bounded else -np.inf] * linear + [0.0] * exponents
    upper = [np.inf] * linear + [EXPONENT_LIMIT] * exponents
    if law.floor and law.constraints.chance is not None:
        upper[law.parameters.index(law.floor)] = HIGHEST_FLOOR * law.constraints.chance
    for name, value in law.constraints.fixed:
        position = law.parameters.index(name)
        lower[position] = upper[position] = value
    return np.tile(lower, (count, 1)), np.tile(upper, (count, 1))


def minimise(batch: Batch, start: Array, effort: Effort = FULL) -> tuple[Array, Array, Mask]:
    """Descend from ``start`` (B, P) to local minima.

    Returns:
        Parameters (B, P) within the bounds, the objective at them (B,), and whether each converged.
    """
    chunk = max(1, CHUNK_NUMBERS // (len(batch.log_n) * start.shape[1]))
    values, done = np.empty_like(start), np.empty(len(start), dtype=bool)
    for first in range(0, len(start), chunk):
        rows = slice(first, first + chunk)
        # Some trial steps predict errors without a logarithm; their objective is infinite, and they
        # are rejected.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            values[rows], done[rows] = _stages(batch.rows(rows), start[rows], effort)
    values = _without_rounding(batch, values)
    return values, batch.objective(values), done


def _without_rounding(batch: Batch, values: Array) -> Array:
    """Return parameters with exponents of the size of rounding errors set to 0, for exact ratios."""
    p = len(batch.law.linear)
    exponents = np.where(np.abs(values[:, p:]) < ROUNDING, 0.0, values[:, p:])
    cleaned = np.concatenate([values[:, :p], exponents], axis=1)
    return np.asarray(np.clip(cleaned, batch.lower, batch.upper))


def _stages(batch: Batch, start: Array, effort: Effort) -> tuple[Array, Mask]:
    """Descend; for absolute values, through increasingly sharp Huber losses."""
    if batch.loss.delta > 0:
        return _descend(batch, start, effort)
    predicted = batch.law.evaluate(start, batch.log_n, batch.log_t)
    scale = float(np.median(np.abs(batch.loss.residuals(batch.y, predicted)))) or 1e-12
    values, done = start, np.ones(len(start), dtype=bool)
    for stage in L1_STAGES:
        smooth = Loss("huber", batch.loss.log, stage * scale)
        values, done = _descend(replace(batch, loss=smooth), values, effort)
    return values, done


def _descend(batch: Batch, start: Array, effort: Effort) -> tuple[Array, Mask]:
    values = np.clip(start, batch.lower, batch.upper)
    objective, damping = batch.objective(values), np.full(len(values), 1e-3)
    floor = 1e-29 * (batch.weight * batch.y**2).sum(axis=1)
    done = np.zeros(len(values), dtype=bool)
    for _ in range(effort.steps):
        active = np.flatnonzero(~done)
        if not len(active):
            break
        part = batch.rows(active)
        step, gain = _step(part, values[active], damping[active])
        trial = np.clip(values[active] + step, part.lower, part.upper)
        new = part.objective(trial)
        better = new <= objective[active]
        still = better & (objective[active] - new <= effort.gain * new) & (damping[active] <= 1e-3)
        improved = active[better]
        values[improved], objective[improved] = trial[better], new[better]
        damping[active] = np.where(better, np.maximum(damping[active] / 5, 1e-9), damping[active] * 8)
        small = still | (gain <= effort.gain * objective[active])
        done[active] = small | (objective[active] <= floor[active]) | (damping[active] > 1e9)
    return values, done


def _step(batch: Batch, values: Array, damping: Array) -> tuple[Array, Array]:
    """Return a damped Gauss-Newton step in the free parameters, and its expected gain."""
    predicted = batch.law.evaluate(values, batch.log_n, batch.log_t)
    jacobian = batch.law.jacobian(values, batch.log_n, batch.log_t)
    residual = batch.loss.residuals(batch.y, predicted)
    if batch.loss.log:
        jacobian = jacobian / predicted[:, :, None]
    weighted = jacobian * (batch.weight * batch.loss.influence(residual))[:, :, None]
    transposed = weighted.transpose(0, 2, 1)
    gradient = -(transposed @ residual[:, :, None])[:, :, 0]
    curvature = transposed @ jacobian
    outward = ((values <= batch.lower) & (gradient > 0)) | ((values >= batch.upper) & (gradient < 0))
    fixed = outward | (batch.lower == batch.upper)
    step = _solve_free(curvature, np.where(fixed, 0.0, gradient), fixed, damping)
    if batch.law.constraints.tied:
        first, second = (batch.law.parameters.index(name) for name in batch.law.constraints.tied)
        step[:, second] = step[:, first]
    return step, -(gradient * step).sum(axis=1)


def _solve_free(curvature: Array, gradient: Array, fixed: Mask, damping: Array) -> Array:
    """Solve (H + damping diag H) step = -gradient, with no step in fixed parameters."""
    size = gradient.shape[1]
    diagonal = np.einsum("bpp->bp", curvature)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = curvature / (scale[:, :, None] * scale[:, None, :])
    scaled = np.where(fixed[:, :, None] | fixed[:, None, :], 0.0, scaled)
    scaled[:, range(size), range(size)] = 1.0 + damping[:, None]
    return -np.linalg.solve(scaled, (gradient / scale)[:, :, None])[:, :, 0] / scale
