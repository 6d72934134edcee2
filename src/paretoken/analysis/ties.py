"""Which configurations the data do not tell from the best one, and how often it is the best.

Both are counted over the bootstrap's draws of the law, in which errors of different configurations move
together; what is measured of a cost is drawn beside them.
"""

from __future__ import annotations

import math

import numpy as np

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.significance import LEVEL, ROUNDING
from paretoken.costs.models.base import Cost
from paretoken.io.arrays import Array, Mask


def indistinguishable(fit: FittedLaw, N: Array, V: Array, errors: Array, first: int) -> Mask | None:
    """Return which configurations the data do not distinguish from one of them, (n,).

    None without draws.

    They are `ties`, and those that differ only in what the data show no effect of: a law's exponents are
    never negative, so that by its draws alone more of it would always look better.

    Args:
        fit: that predicts the errors.
        N: of the configurations, (n,).
        V: of the configurations, (n,).
        errors: by draw and configuration, (R, n).
        first: the configuration that the others are compared with; it is among those returned.
    """
    tied = ties(errors, first)
    if tied is None:
        return None
    effects = fit.record.get("effects") or {}
    shown = {scale: effect["falls"] or effect["rises"] for scale, effect in effects.items()}
    alike = (N[first] == N) | (not shown.get("N", True))
    return np.asarray(tied | (alike & ((V[first] == V) | (not shown.get("V", True)))))


def ties(errors: Array, first: int) -> Mask | None:
    """Return for which configurations the 95 % interval of the difference of both errors holds 0, (n,).

    Args:
        errors: by draw and configuration, (R, n); without draws the answer is None.
        first: the configuration that the others are compared with; it ties with itself.
    """
    count = len(errors)
    if not count:
        return None
    tail = (1 - LEVEL) / 2
    own = errors[:, [first]]
    below, above = (errors < own).sum(axis=0), (errors > own).sum(axis=0)
    least = math.ceil(round(tail * count, 9))
    return np.asarray((count - above >= least) & (below < count - least + 1))


def cost_draws(cost: Cost, N: Array, V: Array, Q: float, count: int) -> Array | None:
    """Return costs as they might have been measured, (count, n).

    None where costs are arithmetic, or nothing is known of their noise. Each is
    drawn from a normal distribution around what was measured, by its standard error.
    """
    errors = cost.standard_error(N, V, Q)
    if errors is None:
        return None
    scores = np.random.default_rng(0).normal(size=(count, len(errors)))
    return np.maximum(cost(N, V, Q) + scores * np.nan_to_num(errors), 0.0)


def share_chosen(errors: Array, costs: Array, budget: float, chosen: int) -> float | None:
    """Return the share of draws in which a configuration is the best that can be paid.

    None without draws. Of equal errors the one of the lowest cost is the best.

    Args:
        errors: by draw and configuration, (R, n).
        costs: of the configurations, (n,), or of each draw, (R, n).
        budget: the most that an answer may cost.
        chosen: the configuration.
    """
    if not len(errors):
        return None
    # Of equal errors the first counts: that of the lowest cost.
    order = np.argsort(costs if costs.ndim == 1 else costs.mean(axis=0), kind="stable")
    payable = np.broadcast_to(costs <= budget * (1 + ROUNDING), errors.shape)
    found = np.where(payable, errors, np.inf)[:, order]
    best = order[found.argmin(axis=1)]
    return float(((best == chosen) & payable[:, chosen]).mean())
