"""Interpolation of costs between the sizes whose dimensions are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paretoken.costs.models.deployment import LlmShape, Shapes
from paretoken.io.arrays import Numbers


def over_sizes(
    shapes: Shapes, N: Numbers, V: Numbers, cost: Callable[[LlmShape, float], float]
) -> Numbers:
    """Return ``cost(llm, V)`` at each N and V.

    At the N of a known model it is that model's cost. Between them it is interpolated (PCHIP in N,
    which is monotone and smooth; FLOPs and bytes are almost linear in N). Outside of the known sizes
    it is NaN.

    Args:
        shapes: dimensions of the known models.
        N: sizes in billions of parameters, (n,).
        V: visual tokens, (n,).
        cost: function of a known model and V that returns the cost.
    """
    known = shapes.by_size
    levels, which = np.unique(V, return_inverse=True)
    table = np.array([[cost(llm, float(v)) for v in levels] for llm in known])
    sizes = np.array([llm.params_b for llm in known])
    if len(sizes) == 1:
        return np.asarray(np.where(sizes[0] == N, table[0][which], np.nan))
    from scipy.interpolate import PchipInterpolator

    between = PchipInterpolator(sizes, table, axis=0, extrapolate=False)
    distinct, row = np.unique(N, return_inverse=True)
    return np.asarray(between(distinct))[row, which]
