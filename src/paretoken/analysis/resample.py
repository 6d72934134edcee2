"""Refit resampled data, to measure how much the parameters vary with the noise of the cells.

- ``residual``: the fit plus resampled residuals (leverage-corrected). Valid if every cell has its own
  noise.
- ``effects``: the fit plus an effect for each language model and noise for each cell. Valid if the
  cells of one language model share noise.
- ``points``: cells drawn with replacement. Also valid if the noise differs between cells.
- ``cluster``: whole model sizes drawn with replacement. Valid with many sizes, coarse with few.

The first two also draw the size of the noise, with the uncertainty of its degrees of freedom: with few
cells, their intervals are Student's. `measure_noise` decides which of the two matches a fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from paretoken.analysis.cells import Cells
from paretoken.analysis.estimate import Estimate
from paretoken.analysis.linearised import leverage
from paretoken.analysis.noise import measure_noise
from paretoken.analysis.product_limits import MOST_NUMBERS, require_product
from paretoken.analysis.significance import LEVEL
from paretoken.analysis.solver import CHUNK_NUMBERS
from paretoken.analysis.starting_points import SMALL_SIDE
from paretoken.io.arrays import Array

RESIDUAL, EFFECTS, CLUSTER = "residual", "effects", "cluster"
METHODS = (RESIDUAL, "points", CLUSTER)
#: Largest drawn noise of a logarithm, to which others are clipped: e^50 is more than any error.
LARGEST_LOG = 50.0
#: Size of the start grid of a resampled fit, in numbers per problem (3 x 3 for each point).
GRID_NUMBERS = 9 * SMALL_SIDE**2


@dataclass(frozen=True)
class Draws:
    """The refitted parameters of one resampling method.

    Attributes:
        method: one of `METHODS`, or `EFFECTS`.
        values: parameters, (R, P).
        unusable: the number of replicates that did not determine the law.
        noise: standard deviation of a new measurement (cell's own noise and effect), (R,); in the unit
            of residuals. Where cells have weights, that of the mean variance of a cell's own noise.
            Empty for methods that do not draw it.
    """

    method: str
    values: Array
    unusable: int
    noise: Array


def draw(fitted: Estimate, method: str, replicates: int, seed: int) -> Draws:
    """Refit ``replicates`` resampled data sets.

    A replicate with fewer than two sizes or two token counts does not determine the law; it is counted
    and left out.

    Args:
        fitted: the fit to the data as they are.
        method: one of `METHODS`, or `EFFECTS`.
        replicates: R.
        seed: the seed; each method has its own generator.

    Raises:
        UserError: replicates times cells do not fit in memory.
    """
    counts = {"replicates": replicates, "cells": len(fitted.cells)}
    require_product("--bootstrap", counts, MOST_NUMBERS)
    generator = np.random.default_rng([seed, (*METHODS, EFFECTS).index(method)])
    if method in {RESIDUAL, EFFECTS}:
        if not measure_noise(fitted).freedom:
            return Draws(method, np.empty((0, len(fitted.values))), replicates, np.empty(0))
        y, noise = _noisy_errors(fitted, method, replicates, generator)
        return Draws(method, _in_chunks(fitted, y=y), 0, noise)
    weight = _resampled_weights(fitted.cells, method, replicates, generator)
    usable = np.array([_determines(fitted.cells, row) for row in weight], dtype=bool)
    kept = weight[usable]
    values = _in_chunks(fitted, weight=kept) if len(kept) else np.empty((0, len(fitted.values)))
    return Draws(method, values, int((~usable).sum()), np.empty(0))


def _in_chunks(fitted: Estimate, *, y: Array | None = None, weight: Array | None = None) -> Array:
    """Refit in chunks, to limit the memory of the start grid."""
    # The start grid keeps a small matrix per grid point and problem, the descent a row per cell.
    chunk = max(1, CHUNK_NUMBERS // max(len(fitted.cells), GRID_NUMBERS))
    rows = y if y is not None else weight
    assert rows is not None  # noqa: S101  (one of the two is given by the callers above)
    parts = [rows[first : first + chunk] for first in range(0, len(rows), chunk)]
    if y is not None:
        return np.concatenate([fitted.refit(y=part) for part in parts])
    return np.concatenate([fitted.refit(weight=part) for part in parts])


def _noisy_errors(
    fitted: Estimate, method: str, count: int, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Return errors drawn around the fit, (R, n), and the noise of a new measurement in each, (R,)."""
    used, weight = fitted.cells.used, fitted.cells.weight
    root = np.sqrt(np.where(used, weight, 1.0))
    measured = replace(measure_noise(fitted), effects=method == EFFECTS)
    own, effect = (np.sqrt(variance) for variance in measured.draws(count, generator))
    if method == EFFECTS:
        models = fitted.cells.language_models
        shape = (count, int(models.max()) + 1)
        noise = generator.normal(size=(count, len(weight))) * (own[:, None] / root)
        noise += (effect[:, None] * generator.normal(size=shape))[:, models]
    else:
        pool = _standardised_pool(fitted)
        noise = generator.choice(pool, size=(count, len(weight))) * (own[:, None] / root)
    predicted = fitted.predicted()
    total = np.sqrt(own**2 * (1 / weight[used]).mean() + effect**2)
    if not fitted.loss.log:
        return predicted + noise, total
    return predicted * np.exp(np.clip(noise, -LARGEST_LOG, LARGEST_LOG)), total


def _standardised_pool(fitted: Estimate) -> Array:
    """Return the residuals of used cells, corrected for leverage, with mean 0 and variance 1."""
    used = fitted.cells.used
    root = np.sqrt(np.where(used, fitted.cells.weight, 1.0))
    residual = fitted.loss.residuals(fitted.cells.Y, fitted.predicted()) * root
    inflated = (residual / np.sqrt(1 - leverage(fitted)))[used]
    pool = inflated - inflated.mean()
    scale = float(np.sqrt((pool**2).mean()))
    return np.asarray(pool / scale if scale > 0 else pool)


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


def percentiles(values: Array) -> list[float | None]:
    """Return [low, high] of draws, 95 %; an infinite end is None (JSON has no infinity)."""
    if not len(values):
        return [None, None]
    tail = round((1 - LEVEL) / 2, 12)  # exactly 0.025: a rounding error would move an end by one draw
    ends = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    return [float(end) if np.isfinite(end) else None for end in ends]
