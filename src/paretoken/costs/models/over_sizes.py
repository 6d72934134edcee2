"""Costs of sizes between those whose dimensions are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paretoken.costs.models.deployment import LlmShape, Shapes
from paretoken.io.arrays import Numbers


def over_sizes(
    shapes: Shapes, N: Numbers, V: Numbers, cost: Callable[[LlmShape, float], float]
) -> Numbers:
    """Return ``cost(llm, V)`` at each N and V.

    At the N of a known model it is that model's; between them it is interpolated (PCHIP in N, which
    keeps it monotone and leaves no kink; FLOPs and bytes are all but linear in N). Outside of the
    known sizes it is NaN.

    Args:
        shapes: the known models.
        N: sizes, (n,).
        V: visual tokens, (n,).
        cost: of one known model with V visual tokens.
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
