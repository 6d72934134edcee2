"""Fit one law to one set of cells, and refit it with other weights, errors or bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from paretoken.analysis.cells import Cells, require_identifiable
from paretoken.analysis.laws.base import Law
from paretoken.analysis.losses import Loss
from paretoken.analysis.solver import FULL, RESAMPLED, Batch, Effort, default_bounds, minimise
from paretoken.analysis.starting_points import MANY_CELLS, best_start, point_starts
from paretoken.errors import FitError
from paretoken.io.arrays import Array


@dataclass(frozen=True)
class Estimate:
    """The best fit of a law, with everything needed to refit it.

    Attributes:
        centred: parameters for centred logarithms, (P,).
        objective: the objective of the best start.
        converged: whether the best start converged.
        starts: how many starts were tried.
        reached: how many of them ended at the best objective.
    """

    cells: Cells
    law: Law
    loss: Loss
    text_tokens: float
    centred: Array
    objective: float
    converged: bool
    starts: int
    reached: int

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Mean ln N and mean ln T of the cells."""
        return _centre(self.cells, self.law, self.text_tokens)

    @cached_property
    def values(self) -> Array:
        """Parameters in the unit of the cells, (P,)."""
        return np.asarray(self.uncentre(self.centred[None])[0])

    @cached_property
    def parameters(self) -> dict[str, float]:
        """Parameters by name."""
        return {n: float(v) for n, v in zip(self.law.parameters, self.values, strict=True)}

    def uncentre(self, values: Array) -> Array:
        """Return parameters (B, P) in the unit of the cells."""
        return self.law.uncenter(values, *self.centre)

    def predicted(self) -> Array:
        """Return the predicted error of every cell, (n,)."""
        return self.law.predict(self.parameters, self.cells.N, self.cells.V, self.text_tokens)

    def refit(self, *, y: Array | None = None, weight: Array | None = None) -> Array:
        """Return parameters (B, P) of the same law for other errors or weights, each (B, n)."""
        count = len(y) if y is not None else len(weight) if weight is not None else 1
        batch = make_batch(self.cells, self.law, self.loss, self.text_tokens, count, y, weight)
        return self.uncentre(self.descend(batch, RESAMPLED)[0])

    def descend(self, batch: Batch, effort: Effort = FULL) -> tuple[Array, Array]:
        """Return centred parameters (B, P) and objectives (B,) of problems near this one.

        Each problem descends from this estimate and, with few cells, also from the best point of its own
        grid, because resampling a few cells can move the minimum far.
        """
        near, objective, _ = minimise(batch, np.tile(self.centred, (len(batch.y), 1)), effort)
        if not self.law.exponents or len(self.cells) > MANY_CELLS:
            return near, objective
        own, own_objective, _ = minimise(batch, best_start(batch), effort)
        best = np.where((own_objective < objective)[:, None], own, near)
        return best, np.minimum(objective, own_objective)


def _centre(cells: Cells, law: Law, Q: float) -> tuple[float, float]:
    return float(np.log(cells.N).mean()), float(np.log(law.tokens(cells.V, Q)).mean())


def make_batch(
    cells: Cells,
    law: Law,
    loss: Loss,
    Q: float,
    count: int,
    y: Array | None = None,
    weight: Array | None = None,
) -> Batch:
    """Return ``count`` problems over the cells, with centred logarithms and default bounds."""
    n0, t0 = _centre(cells, law, Q)
    shape = (count, len(cells))
    lower, upper = default_bounds(law, count)
    return Batch(
        law=law,
        loss=loss,
        log_n=np.log(cells.N) - n0,
        log_t=np.log(law.tokens(cells.V, Q)) - t0,
        y=np.broadcast_to(cells.Y, shape) if y is None else y,
        weight=np.broadcast_to(cells.weight, shape) if weight is None else weight,
        lower=lower,
        upper=upper,
    )


def estimate(cells: Cells, law: Law, loss: Loss, text_tokens: float = 0.0) -> Estimate:
    """Fit ``law`` to ``cells``: exact linear solves on a grid of exponents, then descent.

    The result is deterministic. The descent starts from the best grid points and from others spread over
    the grid, so that the share of starts that agree is known.

    Args:
        cells: the cells to fit.
        law: the law.
        loss: the loss to minimise.
        text_tokens: Q inside the error, for laws with T = Q + V.

    Raises:
        FitError: the cells cannot determine the law, or a logarithm of a value <= 0 is needed.
    """
    require_identifiable(cells, law.free)
    _require_below_chance(cells, law)
    if (law.tokens(cells.V, text_tokens) <= 0).any():
        raise FitError(f"{law.name} needs V > 0 (or Q + V > 0) in every cell")
    if loss.log and (cells.Y[cells.used] <= 0).any():
        raise FitError(f"the loss {loss.name} needs errors > 0; use squared, huber or l1")
    start = point_starts(make_batch(cells, law, loss, text_tokens, 1))
    one = make_batch(cells, law, loss, text_tokens, 1)
    start = start[np.isfinite(one.objective(start))]  # a log loss is infinite for predictions <= 0
    if not len(start):
        raise FitError(
            f"no start of {law.name} gave a finite objective; check that all errors are finite"
        )
    batch = make_batch(cells, law, loss, text_tokens, len(start))
    values, objective, done = minimise(batch, start)
    best = int(np.argmin(objective))
    polished = _exact_linear(batch.rows(slice(best, best + 1)), values[best])
    tolerance = 1e-7 * objective[best] + 1e-14 * float((cells.weight * cells.Y**2).sum())
    return Estimate(
        cells=cells,
        law=law,
        loss=loss,
        text_tokens=text_tokens,
        centred=polished,
        objective=float(batch.rows(slice(best, best + 1)).objective(polished[None])[0]),
        converged=bool(done[best]),
        starts=len(start),
        reached=int((objective <= objective[best] + tolerance).sum()),
    )


def _require_below_chance(cells: Cells, law: Law) -> None:
    chance = law.constraints.chance
    if chance is not None and float(np.median(cells.Y[cells.used])) >= chance:
        raise FitError(
            f"at least half of the errors are {chance:g} or more, the error of guessing; check that the "
            "column holds errors, in the unit of --chance"
        )


def _exact_linear(batch: Batch, values: Array) -> Array:
    """Return ``values`` with the exact bounded linear part under squared error, if it is better."""
    if batch.loss.log or not np.isinf(batch.loss.delta):
        return values
    from scipy.optimize import lsq_linear

    p = len(batch.law.linear)
    design = batch.law.basis(values[None, p:], batch.log_n, batch.log_t)[0]
    root = np.sqrt(batch.weight[0])
    matrix, fixed = batch.law.expansion(batch.law.linear)
    free = [i for i, name in enumerate(batch.law.linear) if name in batch.law.free]
    bounds = (batch.lower[0, free], batch.upper[0, free])
    target = (batch.y[0] - design @ fixed) * root
    solution = lsq_linear((design @ matrix) * root[:, None], target, bounds, method="bvls").x
    exact = np.concatenate([matrix @ solution + fixed, values[p:]])
    better = batch.objective(exact[None])[0] <= batch.objective(values[None])[0]
    return exact if better else values
