"""Find the configurations that the data do not distinguish from the best, and how often it is best.

Both are counted over the bootstrap draws of the law, in which the errors of different configurations
vary together; measured costs are drawn independently.
"""

from __future__ import annotations

import math

import numpy as np

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.significance import LEVEL, ROUNDING
from paretoken.costs.models.base import Cost
from paretoken.io.arrays import Array, Mask


def indistinguishable(fit: FittedLaw, N: Array, V: Array, errors: Array, first: int) -> Mask | None:
    """Return which configurations the data do not distinguish from one, (n,); None without draws.

    These are `ties`, and configurations that differ only in a scale without a significant effect: a
    law's exponents are never negative, so in its draws alone a larger N or V would always look better.

    Args:
        fit: the fit that predicts the errors.
        N: N of the configurations, (n,).
        V: V of the configurations, (n,).
        errors: errors by draw and configuration, (R, n).
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
    """Return for which configurations the 95 % interval of the difference of errors includes 0, (n,).

    Args:
        errors: errors by draw and configuration, (R, n); without draws the result is None.
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
    """Return draws of the measured costs, (count, n).

    Each is drawn from a normal distribution around the measured cost, with its standard error. The
    result is None if costs are computed, or if their noise is unknown.
    """
    errors = cost.standard_error(N, V, Q)
    if errors is None:
        return None
    scores = np.random.default_rng(0).normal(size=(count, len(errors)))
    return np.maximum(cost(N, V, Q) + scores * np.nan_to_num(errors), 0.0)


def share_chosen(errors: Array, costs: Array, budget: float, chosen: int) -> float | None:
    """Return the share of draws in which a configuration is the best affordable one; None without draws.

    Of configurations with equal errors, the one with the lowest cost is the best.

    Args:
        errors: errors by draw and configuration, (R, n).
        costs: costs of the configurations, (n,), or of each draw, (R, n).
        budget: the largest cost of an answer.
        chosen: the index of the configuration.
    """
    if not len(errors):
        return None
    # argmin takes the first of equal errors: that of the lowest cost.
    order = np.argsort(costs if costs.ndim == 1 else costs.mean(axis=0), kind="stable")
    affordable = np.broadcast_to(costs <= budget * (1 + ROUNDING), errors.shape)
    found = np.where(affordable, errors, np.inf)[:, order]
    best = order[found.argmin(axis=1)]
    return float(((best == chosen) & affordable[:, chosen]).mean())
