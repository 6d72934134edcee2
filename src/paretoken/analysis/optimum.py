"""The token count that is best at a fixed cost, in closed form."""

from __future__ import annotations

import numpy as np

from paretoken.analysis.laws.base import Array, Law


def optimal_tokens(law: Law, ratio: Array | float, Q: float, v_min: float, v_max: float) -> Array:
    """Return V* that minimises the error at any fixed cost 2 N (Q + V).

    For T = V: V* = Q beta / (alpha - beta) = Q / (ratio - 1) where alpha > beta, the largest V
    elsewhere. For T = Q + V cost and error share the same sum, so V* is the smallest or the
    largest V. Independent of the budget and of D (notes on the paper, section 1.4).

    Args:
        law: one with a constant optimum.
        ratio: alpha / beta, any shape; may be infinite.
        Q: text tokens.
        v_min: the smallest V to consider.
        v_max: the largest V to consider.

    Raises:
        ValueError: the law's optimum depends on the budget (use the frontier).
    """
    if not law.constant_optimum:
        raise ValueError(f"the optimal V of {law.name} depends on the budget")
    ratio = np.asarray(ratio, dtype=float)
    if law.text_in_error:
        return np.where(ratio > 1, v_min, v_max)
    interior = np.divide(Q, ratio - 1, out=np.full_like(ratio, np.inf), where=ratio > 1)
    return np.clip(interior, v_min, v_max)
