"""Where two model sizes are equally good at the same cost (Fig. 3a)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.costs.models.base import Cost
from paretoken.costs.models.paper import PAPER_COST
from paretoken.io.arrays import Array

#: Number of token counts between which a cost is interpolated linearly in V, to invert it.
DENSE = 400


def crossovers(
    fit: FittedLaw,
    sizes: Sequence[float],
    tokens: Sequence[float],
    text_tokens: Sequence[float],
    cost: Cost = PAPER_COST,
) -> pd.DataFrame:
    """Return where a smaller and the next larger model reach the same error at the same cost.

    For each pair of neighbouring sizes and each Q: the cost, and each model's V there (Fig. 3a).
    Below that cost the smaller model is better, and above it the larger one, because the larger one
    first pays for Q tokens. V is continuous within the range of ``tokens``. Pairs without a crossover
    in that range are rows with empty cells.
    """
    V = np.geomspace(float(min(tokens)), float(max(tokens)), DENSE)
    V[0], V[-1] = min(tokens), max(tokens)  # geomspace may miss the ends by a rounding error
    rows: list[dict[str, object]] = []
    for Q in text_tokens:
        for small, large in pairwise(np.unique(sizes)):
            found = _crossover(fit, float(small), float(large), float(Q), V, cost)
            rows.append(
                {"text_tokens": float(Q), "small_params_b": small, "large_params_b": large} | found
            )
    columns = [
        "text_tokens",
        "small_params_b",
        "large_params_b",
        "small_visual_tokens",
        "large_visual_tokens",
        "cost",
        "error",
    ]
    return pd.DataFrame(rows).reindex(columns=columns)


def _crossover(
    fit: FittedLaw, small: float, large: float, Q: float, V: Array, cost: Cost
) -> dict[str, float]:
    # Noise may make a measured cost fall with V; the running maximum can be inverted.
    curves = {N: np.maximum.accumulate(cost(N, V, Q)) for N in (small, large)}
    if not all(np.isfinite(curve).all() for curve in curves.values()):
        return {}
    cheapest = max(curve[0] for curve in curves.values())
    most_expensive = min(curve[-1] for curve in curves.values())

    def tokens_at(N: float, budget: float) -> float:
        return float(np.interp(budget, curves[N], V))

    def gain(budget: float) -> float:
        """Return the error of the small model minus that of the large one, both at this cost."""
        small_error = fit.predict(small, tokens_at(small, budget), Q)
        return float(small_error - fit.predict(large, tokens_at(large, budget), Q))

    if cheapest >= most_expensive or gain(cheapest) * gain(most_expensive) > 0:
        return {}
    from scipy.optimize import brentq

    found = float(brentq(gain, cheapest, most_expensive))
    return {
        "small_visual_tokens": tokens_at(small, found),
        "large_visual_tokens": tokens_at(large, found),
        "cost": found,
        "error": float(fit.predict(large, tokens_at(large, found), Q)),
    }
