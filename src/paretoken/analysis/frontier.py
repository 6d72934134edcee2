"""Find the best (N, V) per budget by an exhaustive search over given sizes and token counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paretoken.analysis.closed_form_optimum import best_tokens
from paretoken.analysis.diagnostics import LARGEST_B
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.product_limits import MOST_CONFIGURATIONS, require_product
from paretoken.analysis.significance import ROUNDING
from paretoken.analysis.ties import cost_draws, share_chosen
from paretoken.costs.models.base import Cost
from paretoken.costs.models.paper import PAPER_COST
from paretoken.errors import UserError
from paretoken.io.escape import shown

CONFIGURATION = [
    "text_tokens",
    "params_b",
    "visual_tokens",
    "cost",
    "error",
    "error_low",
    "error_high",
    "measured_low",
    "measured_high",
    "extrapolated",
]
STAR = ["v_star", "v_star_low", "v_star_high"]
#: Number of default budgets, from the cheapest to the most expensive configuration.
BUDGETS = 25


def configurations(
    fit: FittedLaw,
    sizes: Sequence[float],
    tokens: Sequence[float],
    Q: float,
    cost: Cost = PAPER_COST,
) -> pd.DataFrame:
    """Return one row per (N, V): its cost and its predicted error with 95 % intervals.

    ``error_low`` and ``error_high`` are the interval of the mean error at (N, V), ``measured_low`` and
    ``measured_high`` that of the error of a newly trained model. ``extrapolated`` says whether (N, V)
    lies outside the fitted range, see `FittedLaw.covers`. Configurations of unknown cost (outside the
    measured range) are left out.

    Args:
        fit: the fitted law.
        sizes: N, billions of parameters, positive.
        tokens: V, positive (zero too if the law and the cost stay defined: Q + V > 0, T > 0).
        Q: text tokens.
        cost: the cost of an answer, by default 2 N (Q + V).

    Raises:
        UserError: a set is empty, a value is out of range, or no cost is known.
    """
    _require_in_range(sizes, tokens, Q)
    sizes, tokens = sorted(set(sizes)), sorted(set(tokens))
    N, V = (axis.ravel() for axis in np.meshgrid(sizes, tokens, indexing="ij"))
    costs = cost(N, V, Q)
    known = np.isfinite(costs)
    if not known.any():
        raise UserError(
            f"the cost model {cost.model.name} knows none of these configurations at Q = {Q:g}: sizes "
            f"{_listed(sizes)}, visual tokens {_listed(tokens)}; choose some that {_holder(cost)} covers"
        )
    N, V, costs = N[known], V[known], costs[known]
    low, high = fit.interval(N, V, Q)
    measured_low, measured_high = fit.measurement_interval(N, V, Q)
    return pd.DataFrame(
        {
            "text_tokens": float(Q),
            "params_b": N,
            "visual_tokens": V,
            "cost": costs,
            "error": fit.predict(N, V, Q),
            "error_low": low,
            "error_high": high,
            "measured_low": measured_low,
            "measured_high": measured_high,
            "extrapolated": ~fit.covers(N, V, Q),
        }
    )


def _require_in_range(sizes: Sequence[float], tokens: Sequence[float], Q: float) -> None:
    """Raise `UserError` if a value is out of range, or if there are too many."""
    for name, values in (("--params-b", sizes), ("--tokens", tokens)):
        if not len(values) or not np.isfinite(values).all() or min(values) <= 0:
            raise UserError(f"{name} must be positive numbers, got: {shown(list(values))}")
    counts = {"sizes": len(set(sizes)), "token counts": len(set(tokens))}
    require_product("--params-b and --tokens", counts, MOST_CONFIGURATIONS)
    if max(sizes) > LARGEST_B:
        raise UserError(
            f"--params-b is in billions of parameters, and {max(sizes):g} is more than any model has; "
            "if the fit was made with raw counts, refit with --n-unit parameters"
        )
    if not np.isfinite(Q) or Q < 0:
        raise UserError(f"text tokens must be 0 or more, got {Q:g}")


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(set(values)))


def _holder(cost: Cost) -> str:
    latency = cost.deployment.latency
    return latency.origin if latency is not None and "latency" in cost.model.needs else "--shapes"


def by_preference(table: pd.DataFrame) -> pd.DataFrame:
    """Order configurations: lower error, then lower cost, then larger N."""
    return table.sort_values(
        ["error", "cost", "params_b"], ascending=[True, True, False], kind="stable"
    ).reset_index(drop=True)


def affordable(table: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Return the configurations that cost at most ``budget``, up to rounding."""
    return table[table["cost"] <= budget * (1 + ROUNDING)]


def undominated(table: pd.DataFrame) -> pd.DataFrame:
    """Return the configurations that no other one dominates in cost and error, by ascending cost.

    Of configurations with equal cost and error, only the one with the largest N is returned.
    """
    ordered = table.sort_values(
        ["cost", "error", "params_b"], ascending=[True, True, False], kind="stable"
    )
    lowest_before = ordered["error"].cummin().shift(fill_value=np.inf)
    return ordered[ordered["error"] < lowest_before].reset_index(drop=True)


def default_budgets(tables: Sequence[pd.DataFrame]) -> list[float]:
    """Return log-spaced budgets from the cheapest to the most expensive configuration."""
    costs = pd.concat([table["cost"] for table in tables])
    budgets = np.geomspace(costs.min(), costs.max(), BUDGETS)
    budgets[-1] = costs.max()  # geomspace may end a rounding error below the most expensive
    return [float(b) for b in budgets]


def frontier(
    fit: FittedLaw,
    sizes: Sequence[float],
    tokens: Sequence[float],
    text_tokens: Sequence[float],
    budgets: Sequence[float] | None = None,
    cost: Cost = PAPER_COST,
) -> pd.DataFrame:
    """Return the best configuration per (text tokens, budget).

    A budget that no configuration meets is a row without one and with the ``status`` ``infeasible``.
    ``chosen_in_draws`` is the share of bootstrap draws in which the same configuration is best; the
    cost is drawn too if the uncertainty of its measurements is known.

    Returns:
        Columns ``text_tokens, budget, params_b, visual_tokens, cost, error, error_low, error_high,
        measured_low, measured_high, extrapolated, on_pareto, chosen_in_draws, v_star, v_star_low,
        v_star_high, status, cost_model, unit``; ``v_star`` is the closed form if law and cost have
        one, within the range of the fitted token counts, with its 95 % interval.

    Raises:
        UserError: a size, token count or budget is out of range.
    """
    tables = {Q: configurations(fit, sizes, tokens, Q, cost) for Q in text_tokens}
    if not tables:
        raise UserError("--text-tokens wants at least one number of text tokens")
    budgets = default_budgets(list(tables.values())) if budgets is None else budgets
    if not len(budgets) or not np.isfinite(budgets).all() or min(budgets) <= 0:
        raise UserError(
            f"--budget must be positive numbers ({cost.model.unit}), got: {shown(list(budgets))}"
        )
    rows = [row for Q, table in tables.items() for row in _best_rows(fit, Q, table, budgets, cost)]
    columns = ["text_tokens", "budget", *CONFIGURATION[1:], "on_pareto", "chosen_in_draws"]
    result = pd.DataFrame(rows).reindex(columns=[*columns, *STAR, "status"])
    result = result.assign(cost_model=cost.model.name, unit=cost.model.unit)
    for name in ("on_pareto", "extrapolated"):
        result[name] = result[name].eq(True)
    return result


def _best_rows(
    fit: FittedLaw, Q: float, table: pd.DataFrame, budgets: Sequence[float], cost: Cost
) -> list[dict[str, object]]:
    """Return the best configuration of a table for each budget, with V* at its text tokens."""
    ranked, pareto = by_preference(table), undominated(table)
    points = set(zip(pareto["params_b"], pareto["visual_tokens"], strict=True))
    star = best_tokens(fit, Q, min(fit.token_counts), max(fit.token_counts), cost)
    N, V = (ranked[name].to_numpy(float) for name in ("params_b", "visual_tokens"))
    errors = fit.draw_errors(N, V, Q)
    drawn = cost_draws(cost, N, V, Q, len(errors))
    costs = ranked["cost"].to_numpy(float) if drawn is None else drawn
    rows = []
    for budget in budgets:
        within = affordable(ranked, budget)
        row: dict[str, object] = {"text_tokens": float(Q), "budget": float(budget)}
        if len(within):
            best = within.iloc[0]
            row |= {name: best[name] for name in CONFIGURATION[1:]}
            row["on_pareto"] = (best["params_b"], best["visual_tokens"]) in points
            row["chosen_in_draws"] = share_chosen(errors, costs, budget, int(within.index[0]))
        if star is not None:
            row |= {"v_star": star.value, "v_star_low": star.low, "v_star_high": star.high}
        rows.append(row | {"status": "ok" if len(within) else "infeasible"})
    return rows
