"""Where two model sizes are equally good at the same cost (Fig. 3a)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.cost import flops_2nt


def crossovers(
    fit: FittedLaw, sizes: Sequence[float], tokens: Sequence[float], text_tokens: Sequence[float]
) -> pd.DataFrame:
    """Return where a smaller and the next larger model reach the same error at the same cost.

    For each pair of neighbouring sizes and each Q: the cost, and each model's V there (Fig. 3a).
    Below that cost the smaller model is better, above it the larger one, since the larger one pays
    for Q tokens first. V is continuous within the range of ``tokens``. Pairs without a crossover
    in that range are rows with empty cells.
    """
    low, high = float(min(tokens)), float(max(tokens))
    rows: list[dict[str, object]] = []
    for Q in text_tokens:
        for small, large in pairwise(np.unique(sizes)):
            found = _crossover(fit, float(small), float(large), float(Q), low, high)
            rows.append(
                {"text_tokens": float(Q), "small_params_b": small, "large_params_b": large} | found
            )
    columns = [
        "text_tokens",
        "small_params_b",
        "large_params_b",
        "small_visual_tokens",
        "large_visual_tokens",
        "flops",
        "error",
    ]
    return pd.DataFrame(rows).reindex(columns=columns)


def _crossover(
    fit: FittedLaw, small: float, large: float, Q: float, low: float, high: float
) -> dict[str, float]:
    cheapest = max(large * (Q + low), small * (Q + low))
    dearest = min(large * (Q + high), small * (Q + high))

    def gain(cost: float) -> float:
        """Error of the small model minus error of the large one, at N (Q + V) = cost."""
        small_error = fit.predict(small, cost / small - Q, Q)
        return float(small_error - fit.predict(large, cost / large - Q, Q))

    if cheapest >= dearest or gain(cheapest) * gain(dearest) > 0:
        return {}
    cost = float(brentq(gain, cheapest, dearest))
    return {
        "small_visual_tokens": cost / small - Q,
        "large_visual_tokens": cost / large - Q,
        "flops": flops_2nt(1.0, cost, 0.0),
        "error": float(fit.predict(large, cost / large - Q, Q)),
    }
