"""V* of a fit in closed form, with the interval that all pages, tables and figures show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.laws.base import Law
from paretoken.analysis.resample import percentiles
from paretoken.costs.models.base import Cost
from paretoken.costs.models.flops import FLOPS_2NT
from paretoken.costs.models.paper import PAPER_COST
from paretoken.io.arrays import Array


def optimal_tokens(law: Law, ratio: Array | float, Q: float, v_min: float, v_max: float) -> Array:
    """Return the V* that minimises the error at any fixed cost 2 N (Q + V).

    For T = V, V* is Q beta / (alpha - beta) = Q / (ratio - 1) where alpha > beta, and the largest V
    elsewhere. For T = Q + V, cost and error depend on the same sum, so V* is the smallest or the
    largest V. V* depends neither on the budget nor on D.

    Args:
        law: a law with a constant optimum.
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


@dataclass(frozen=True)
class Star:
    """The number of visual tokens that is best at every budget, with its interval.

    Attributes:
        value: V*.
        low: lower end of its 95 % interval; None without bootstrap draws.
        high: upper end.
    """

    value: float
    low: float | None
    high: float | None

    def ends(self, form: str = ".3g") -> str:
        """Return the interval as text, such as "11.8 to 17.2"; empty if there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"{self.low:{form}} to {self.high:{form}}"


def best_tokens(
    fit: FittedLaw, Q: float, v_min: float, v_max: float, cost: Cost = PAPER_COST
) -> Star | None:
    """Return V*(Q) within a range of V; None if there is no closed form.

    There is none if the optimum depends on the budget, if the error falls neither with N nor with V,
    or if the law has T = Q + V and the text is cached, so that cost and error depend on different sums.
    """
    values = star_draws(fit, Q, v_min, v_max, cost)
    if values is None or fit.is_flat:
        return None
    low, high = percentiles(values[1:])
    return Star(float(values[0]), low, high)


def star_draws(
    fit: FittedLaw, Q: float, v_min: float, v_max: float, cost: Cost = PAPER_COST
) -> Array | None:
    """Return V*(Q) of the fit and of each draw, (1 + R,); None if there is no closed form."""
    if not fit.law.constant_optimum or cost.model != FLOPS_2NT:
        return None
    cached = cost.deployment.cached_text
    if cached and fit.law.text_in_error:
        return None
    point = np.array([[fit.parameters[name] for name in fit.law.parameters]])
    ratio = fit.law.exponent_ratio(np.concatenate([point, fit.draws]))
    return optimal_tokens(fit.law, ratio, 0.0 if cached else Q, v_min, v_max)
