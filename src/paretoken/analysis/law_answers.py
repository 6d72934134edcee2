"""The choices of each law: the best size and token count of the grid at a few fixed costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretoken.analysis.closed_form_optimum import optimal_tokens
from paretoken.analysis.diagnostics import is_constant
from paretoken.analysis.estimate import Estimate
from paretoken.analysis.numerical_optimum import middle
from paretoken.analysis.significance import ROUNDING
from paretoken.io.arrays import Array

#: Positions of the budgets between the cheapest and the most expensive cell, on a logarithmic scale.
PLACES = (0.25, 0.5, 0.75)
#: Number of token counts that are tried for a law without a closed form.
DENSE = 2000
#: Most sizes, and most token counts, of the grid; a larger one is thinned.
MOST_LEVELS = 60


@dataclass(frozen=True)
class Answers:
    """The answers of several laws for the same budgets.

    Attributes:
        Q: text tokens of a question.
        budgets: largest costs of an answer, N (Q + V).
        N: sizes of the configurations, (n,).
        V: their token counts, (n,).
        stars: V* by law, at the middle budget and within the range of V; none for laws without slopes.
        choices: (N, V) by law, one pair per budget.
        headline: the law by which `regret` chooses.
    """

    Q: float
    budgets: tuple[float, ...]
    N: Array
    V: Array
    stars: Mapping[str, float]
    choices: Mapping[str, tuple[tuple[float, float], ...]]
    headline: str


def answers_of(fits: Sequence[Estimate], headline: Estimate, text_tokens: Sequence[float]) -> Answers:
    """Return the answers of each fit on the grid of the sizes and token counts of its cells.

    The cost of an answer is the paper's, 2 N (Q + V), without the factor 2.

    Args:
        fits: fits of different laws to the same cells.
        headline: one of them.
        text_tokens: Q of the study.
    """
    cells, Q = headline.cells, middle(text_tokens) or 0.0
    levels = [_levels(axis[cells.used]) for axis in (cells.N, cells.V)]
    N, V = (axis.ravel() for axis in np.meshgrid(*levels, indexing="ij"))
    cost = N * (Q + V)
    N, V, cost = N[cost > 0], V[cost > 0], cost[cost > 0]
    low, high = np.log(cost.min()), np.log(cost.max())
    budgets = tuple(float(np.exp(low + place * (high - low))) for place in PLACES)
    with_slopes = [fitted for fitted in fits if not is_constant(fitted)]
    choices = {f.law.name: tuple(_choice(f, N, V, Q, b) for b in budgets) for f in with_slopes}
    stars = {f.law.name: _star(f, Q, budgets[len(budgets) // 2]) for f in with_slopes}
    return Answers(Q, budgets, N, V, stars, choices, headline.law.name)


def regret(answers: Answers, fitted: Estimate) -> float | None:
    """Return the largest excess error of the headline law's choices if ``fitted`` is right.

    It is the largest over the budgets, in the unit of the error; None if one of the laws has no choices.
    """
    chosen = answers.choices.get(answers.headline)
    own = answers.choices.get(fitted.law.name)
    if chosen is None or own is None:
        return None
    errors = [
        [float(_predicted(fitted, np.array([n]), np.array([v]), answers.Q)[0]) for n, v in choices]
        for choices in (chosen, own)
    ]
    return max(0.0, float((np.array(errors[0]) - np.array(errors[1])).max()))


def _levels(values: Array) -> Array:
    found = np.unique(values)
    if len(found) <= MOST_LEVELS:
        return found
    return np.asarray(found[np.linspace(0, len(found) - 1, MOST_LEVELS).astype(int)])


def _predicted(fitted: Estimate, N: Array, V: Array, Q: float) -> Array:
    return fitted.law.predict(fitted.parameters, N, V, Q)


def _choice(fitted: Estimate, N: Array, V: Array, Q: float, budget: float) -> tuple[float, float]:
    """Return the configuration with the least error within the budget; of equal ones the cheapest."""
    cost = N * (Q + V)
    within = cost <= budget * (1 + ROUNDING)
    N, V, cost = N[within], V[within], cost[within]
    errors = _predicted(fitted, N, V, Q)
    ties = np.flatnonzero(errors <= errors.min() + ROUNDING * abs(errors.min()))
    best = ties[np.lexsort((-N[ties], cost[ties]))[0]]
    return float(N[best]), float(V[best])


def _star(fitted: Estimate, Q: float, budget: float) -> float:
    """Return V* at a budget: in closed form, or the best of many token counts at exactly that cost."""
    used = fitted.cells.V[fitted.cells.used]
    low, high = float(used.min()), float(used.max())
    if fitted.law.constant_optimum:
        ratio = fitted.law.exponent_ratio(fitted.values[None])
        return float(optimal_tokens(fitted.law, ratio, Q, low, high)[0])
    V = np.geomspace(low or min(1.0, high), high, DENSE)
    return float(V[np.argmin(_predicted(fitted, budget / (Q + V), V, Q))])
