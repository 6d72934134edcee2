"""Intervals by resampling, three ways; which one to trust depends on where the noise is.

- ``residual``: the fit plus resampled residuals (leverage-corrected). Right if every cell has noise
  of its own.
- ``points``: cells drawn with replacement. Also right if the noise differs between cells.
- ``cluster``: whole model sizes drawn with replacement, since the cells of one size share a language
  model and hence its noise. Honest with many sizes, coarse with few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoken.analysis.cells import Cells
from paretoken.analysis.estimate import Estimate
from paretoken.analysis.laws.base import Array
from paretoken.analysis.limits import MOST_NUMBERS, require_product
from paretoken.analysis.solver import CHUNK_NUMBERS, default_bounds

RESIDUAL, CLUSTER = "residual", "cluster"
METHODS = (RESIDUAL, "points", CLUSTER)
LEVEL = 0.95
#: Numbers that the start grid of a resampled fit takes per problem (14 x 14 points, 3 x 3 each).
GRID_NUMBERS = 14 * 14 * 9


@dataclass(frozen=True)
class Draws:
    """Refitted parameters of one method: values (R, P), and how many replicates were unusable."""

    method: str
    values: Array
    unusable: int


def draw(fitted: Estimate, method: str, replicates: int, seed: int) -> Draws:
    """Refit ``replicates`` resampled data sets.

    A replicate in which fewer than two sizes or two token counts are left determines nothing; it is
    counted and left out.

    Args:
        fitted: the fit to the data as they are.
        method: one of `METHODS`.
        replicates: R.
        seed: seeds a generator of its own per method.

    Raises:
        UserError: replicates times cells are too many to be held in memory.
    """
    counts = {"replicates": replicates, "cells": len(fitted.cells)}
    require_product("--bootstrap", counts, MOST_NUMBERS)
    generator = np.random.default_rng([seed, METHODS.index(method)])
    if method == RESIDUAL:
        y = _resampled_errors(fitted, replicates, generator)
        return Draws(method, _in_chunks(fitted, y=y), 0)
    weight = _resampled_weights(fitted.cells, method, replicates, generator)
    usable = np.array([_determines(fitted.cells, row) for row in weight], dtype=bool)
    kept = weight[usable]
    values = _in_chunks(fitted, weight=kept) if len(kept) else np.empty((0, len(fitted.values)))
    return Draws(method, values, int((~usable).sum()))


def _in_chunks(fitted: Estimate, *, y: Array | None = None, weight: Array | None = None) -> Array:
    """Refit in chunks that bound the memory of the start grid."""
    # The start grid keeps a small matrix per grid point and problem, the descent a row per cell.
    chunk = max(1, CHUNK_NUMBERS // max(len(fitted.cells), GRID_NUMBERS))
    rows = y if y is not None else weight
    assert rows is not None  # noqa: S101  (one of the two is given by the callers above)
    parts = [rows[first : first + chunk] for first in range(0, len(rows), chunk)]
    if y is not None:
        return np.concatenate([fitted.refit(y=part) for part in parts])
    return np.concatenate([fitted.refit(weight=part) for part in parts])


def _resampled_errors(fitted: Estimate, count: int, generator: np.random.Generator) -> Array:
    predicted, used = fitted.predicted(), fitted.cells.used
    root = np.sqrt(np.where(used, fitted.cells.weight, 1.0))
    residual = fitted.loss.residuals(fitted.cells.Y, predicted) * root
    inflated = (residual / np.sqrt(1 - leverage(fitted)))[used]
    pool = inflated - inflated.mean()
    noise = generator.choice(pool, size=(count, len(residual))) / root
    return predicted * np.exp(noise) if fitted.loss.log else predicted + noise


def _resampled_weights(cells: Cells, method: str, count: int, generator: np.random.Generator) -> Array:
    used = cells.used
    labels = cells.N if method == CLUSTER else np.arange(len(cells))
    levels, member = np.unique(labels[used], return_inverse=True)
    drawn = generator.multinomial(len(levels), np.full(len(levels), 1 / len(levels)), size=count)
    weight = np.zeros((count, len(cells)))
    weight[:, used] = drawn[:, member] * cells.weight[used]
    return weight


def _determines(cells: Cells, weight: Array) -> bool:
    used = weight > 0
    return len(np.unique(cells.N[used])) > 1 and len(np.unique(cells.V[used])) > 1


def leverage(fitted: Estimate) -> Array:
    """Return how much each cell determines its own prediction, (n,), at most 0.99."""
    jacobian = scaled_jacobian(fitted)
    orthogonal = np.linalg.qr(jacobian)[0]
    return np.asarray(np.minimum((orthogonal**2).sum(axis=1), 0.99))


def scaled_jacobian(fitted: Estimate) -> Array:
    """Return the Jacobian of the free parameters, times the root of the weights, (n, free).

    Centred logarithms are used, so that it does not depend on the unit of N.
    """
    log_n = np.log(fitted.cells.N) - fitted.centre[0]
    log_t = np.log(fitted.law.tokens(fitted.cells.V, fitted.text_tokens)) - fitted.centre[1]
    jacobian = fitted.law.jacobian(fitted.centred[None], log_n, log_t)[0]
    if fitted.loss.log:
        jacobian = jacobian / fitted.predicted()[:, None]
    return np.asarray(jacobian * np.sqrt(fitted.cells.weight)[:, None])[:, free_parameters(fitted)]


def free_parameters(fitted: Estimate) -> list[int]:
    """Return the positions of the parameters that are not at a bound."""
    lower, upper = default_bounds(fitted.law, 1)
    inside = (fitted.centred > lower[0]) & (fitted.centred < upper[0])
    return [int(i) for i in np.flatnonzero(inside)]


def percentiles(values: Array, level: float = LEVEL) -> list[float | None]:
    """Return [low, high] of draws; an infinite end is None (JSON has no infinity)."""
    if not len(values):
        return [None, None]
    tail = (1 - level) / 2
    ends = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    return [float(end) if np.isfinite(end) else None for end in ends]
