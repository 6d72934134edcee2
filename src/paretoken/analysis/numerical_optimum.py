"""Find the best number of visual tokens for a model of a given size under any cost of an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from paretoken.analysis.closed_form_optimum import star_draws
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.resample import percentiles
from paretoken.analysis.scenarios import Scenario
from paretoken.costs.models.base import Cost
from paretoken.io.arrays import Array

#: Token counts at which slopes are compared, and the relative step of a difference quotient.
DENSE, STEP = 100, 1e-3
COLUMNS = [
    "scenario", "cost_model", "options", "text_tokens", "params_b", "v_star", "v_star_low",
    "v_star_high", "v_min", "v_max",
]  # fmt: skip


@dataclass(frozen=True)
class Slopes:
    """The rates at which the error falls at one N, per unit of ln N and of ln V.

    Attributes:
        V: token counts, (n,).
        by_size: -dY / d ln N of the fit and of each bootstrap draw, (1 + R, n).
        by_tokens: -dY / d ln V, (1 + R, n).
    """

    V: Array
    by_size: Array
    by_tokens: Array


def error_slopes(fit: FittedLaw, N: float, Q: float) -> Slopes:
    """Return the slopes of the fitted error at N over the measured range of V.

    Args:
        fit: the fitted law, with its draws.
        N: billions of parameters.
        Q: text tokens; matters only to laws with T = Q + V.
    """
    V = np.geomspace(min(fit.token_counts), max(fit.token_counts), DENSE)
    point = replace(fit, draws=np.array([list(fit.parameters.values())]), noise=np.zeros(1))

    def errors(n: float, v: Array) -> Array:
        parts = [chosen.draw_errors(n, v, Q) for chosen in (point, fit) if len(chosen.draws)]
        return np.concatenate(parts)

    width = 2 * np.log1p(STEP)
    larger, smaller = errors(N * (1 + STEP), V), errors(N / (1 + STEP), V)
    more, fewer = errors(N, V * (1 + STEP)), errors(N, V / (1 + STEP))
    return Slopes(V, (smaller - larger) / width, (fewer - more) / width)


def optimal_at(slopes: Slopes, cost: Cost, N: float, Q: float) -> Array:
    """Return V* of the fit and of each draw, (1 + R,); NaN if the cost is unknown.

    At V*, a small increase of the cost lowers the error as much by tokens as by parameters, so no other
    size has a lower error at the cost of (N, V*). V* is the largest V if tokens are better throughout,
    and the smallest V if parameters are. Under 2 N (Q + V) it is the closed form, whatever N is.

    Args:
        slopes: the slopes of the error at N.
        cost: the cost of an answer.
        N: billions of parameters.
        Q: text tokens.
    """
    V = slopes.V
    by_tokens = _slope(lambda factor: cost(N, np.clip(V * factor, V[0], V[-1]), Q), V, clipped=True)
    by_size = _slope(lambda factor: cost(N * factor, V, Q), V, clipped=False)
    known = np.isfinite(by_tokens) & np.isfinite(by_size)
    if not known.any():
        return np.full(len(slopes.by_size), np.nan)
    V, by_tokens, by_size = V[known], by_tokens[known], by_size[known]
    advantage = slopes.by_tokens[:, known] * by_size - slopes.by_size[:, known] * by_tokens
    return _crossing(np.log(V), advantage)


def _slope(cost_at: Callable[[float], Array], V: Array, clipped: bool) -> Array:
    """Return d cost / d ln x by a step up and a step down, or by one if the other is unknown."""
    up, here, down = cost_at(1 + STEP), cost_at(1.0), cost_at(1 / (1 + STEP))
    width = np.log1p(STEP)
    steps = np.stack([(up - here) / width, (here - down) / width])
    if clipped:  # at the ends of the range, one of the steps has no length
        steps[0, V[-1] <= V] = np.nan
        steps[1, V[0] >= V] = np.nan
    known = np.isfinite(steps)
    total = np.where(known, steps, 0.0).sum(axis=0)
    return np.asarray(np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan))


def _crossing(log_v: Array, advantage: Array) -> Array:
    """Return the V at which the advantage of tokens over parameters becomes negative, per row."""
    wins = advantage > 0
    stop = np.where(wins.all(axis=1), len(log_v), np.argmin(wins, axis=1))
    inside = (stop > 0) & (stop < len(log_v))
    at = np.where(inside, stop, 1 if len(log_v) > 1 else 0)
    row = np.arange(len(advantage))
    before, after = advantage[row, at - 1], advantage[row, at]
    share = np.divide(before, before - after, out=np.zeros_like(before), where=inside)
    between = log_v[at - 1] + share * (log_v[at] - log_v[at - 1])
    return np.asarray(np.exp(np.where(inside, between, np.where(stop == 0, log_v[0], log_v[-1]))))


def middle(text_tokens: Sequence[float]) -> float | None:
    """Return the middle one of a study's positive numbers of text tokens; None if there is none."""
    positive = sorted(Q for Q in text_tokens if Q > 0)
    return float(positive[(len(positive) - 1) // 2]) if positive else None


def optimum_table(
    fit: FittedLaw, scenarios: Sequence[Scenario], sizes: Sequence[float], text_tokens: Sequence[float]
) -> pd.DataFrame:
    """Return V* with its 95 % interval per number of text tokens, scenario and size.

    If the cost has a closed form, the numbers are those of all other tables and pages; otherwise the
    slopes of error and cost are compared.

    The columns are `COLUMNS`; ``v_min`` and ``v_max`` are the ends of the searched range, and V* is one
    of them if there is no optimum inside.
    """
    ends = (min(fit.token_counts), max(fit.token_counts))
    known: dict[tuple[float, float], Slopes] = {}
    rows = []
    for Q, scenario, N in product(text_tokens, scenarios, sizes):
        stars = None if fit.is_flat else star_draws(fit, Q, *ends, scenario.cost)
        if stars is None:
            key = (N, Q if fit.law.text_in_error else 0.0)  # otherwise the error does not depend on Q
            if key not in known:
                known[key] = error_slopes(fit, N, Q)
            stars = optimal_at(known[key], scenario.cost, N, Q)
        low, high = percentiles(stars[1:])
        options = " ".join(["recommend", *scenario.cost.options()])
        name = scenario.cost.model.name
        rows.append([scenario.label, name, options, Q, N, stars[0], low, high, *ends])
    return pd.DataFrame(rows, columns=COLUMNS)
