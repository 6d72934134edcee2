"""Test whether the cells contradict assumptions about a law's parameters, against a freer law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paretoken.analysis.estimate import Estimate, estimate
from paretoken.analysis.laws.base import Law
from paretoken.analysis.noise import measure_noise
from paretoken.analysis.resample import EFFECTS, draw
from paretoken.analysis.significance import is_significant, p_in_words
from paretoken.config.constraints import Constraints
from paretoken.errors import FitError
from paretoken.registry import LAWS

#: Number of draws of the law without the assumptions.
DRAWS = 400


def contradiction(fitted: Estimate) -> float | None:
    """Return the p value of the ties and fixed values of a fit, taken together.

    It comes from an F test against the law without them. If language models may share noise, it comes
    from draws of that law's parameters: the smallest of several p values times their number
    (Bonferroni). It is None if nothing is tied or fixed, and for losses that are not squared.
    """
    constraints = fitted.law.constraints
    if not constraints.taken:
        return None
    law: Law = LAWS.load(fitted.law.name)
    free = _fit(fitted, law.constrained(replace(constraints, tied=None, fixed=())))
    if free is None:
        return None
    return _by_draws(free, constraints) if measure_noise(free).effects else _f_test(fitted, free)


def _by_draws(free: Estimate, constraints: Constraints) -> float:
    drawn = dict(zip(free.law.parameters, draw(free, EFFECTS, DRAWS, 0).values.T, strict=True))
    off = [drawn[name] - value for name, value in constraints.fixed]
    off += [drawn[constraints.tied[0]] - drawn[constraints.tied[1]]] if constraints.tied else []
    tails = [min((values <= 0).mean(), (values >= 0).mean()) for values in off]
    return float(min(1.0, len(off) * 2 * max(min(tails), 1 / DRAWS)))


def equal_slopes(fitted: Estimate) -> float | None:
    """Return the p value of alpha = beta: that N and V matter equally.

    The F test assumes independent noise of the cells. If language models share noise, it finds the two
    different too often, and only a large p value is reliable. It is None if the law has no such ratio,
    if one of its slopes was not fitted, and for losses that are not squared.
    """
    law = fitted.law
    if not law.constant_optimum or law.constraints.of(law.slopes).taken:
        return None
    tied = replace(law.constraints, tied=(law.slopes[0], law.slopes[1]))
    plain: Law = LAWS.load(law.name)
    restricted = _fit(fitted, plain.constrained(tied))
    return None if restricted is None else _f_test(restricted, fitted)


def contradicted(fitted: Estimate, p_value: float | None) -> list[str]:
    """Return a sentence if the cells contradict the assumptions about the parameters."""
    if not is_significant(p_value):
        return []
    known = replace(fitted.law.constraints, chance=None).in_words().removeprefix(" with ")
    together = ", taken together" if fitted.law.constraints.taken > 1 else ""
    return [
        f"The cells contradict {known}{together}: without it, the law fits better than chance explains "
        f"({p_in_words(p_value)})."
    ]


def _fit(fitted: Estimate, law: Law) -> Estimate | None:
    if not np.isinf(fitted.loss.delta):
        return None
    try:
        return estimate(fitted.cells, law, fitted.loss, fitted.text_tokens)
    except FitError:
        return None


def _f_test(restricted: Estimate, free: Estimate) -> float | None:
    """Return the p value of the restricted law; None without spare cells or if the free fit is exact."""
    taken = len(free.law.free) - len(restricted.law.free)
    freedom = int(free.cells.used.sum()) - len(free.law.free)
    if freedom < 1 or free.objective <= 0:
        return None
    gain = max(restricted.objective / free.objective - 1, 0.0)
    from scipy.special import fdtrc

    return float(fdtrc(taken, freedom, gain * freedom / taken))
