"""Recommend a size and token count under a budget, with runners-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.cautions import cautions, cautions_on_cost
from paretoken.analysis.closed_form_optimum import best_tokens
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import affordable, by_preference, configurations
from paretoken.analysis.methods import normal_quantile
from paretoken.analysis.subject import models_of, subject
from paretoken.analysis.ties import cost_draws, indistinguishable, share_chosen
from paretoken.analysis.trade import Side, trade
from paretoken.config.study import FrozenStudy
from paretoken.costs.models.base import Cost
from paretoken.costs.models.paper import PAPER_COST
from paretoken.errors import UserError
from paretoken.io.arrays import Numbers
from paretoken.io.text_tables import size_label, visual_tokens

#: Columns that describe a configuration.
SHOWN = (
    "params_b",
    "visual_tokens",
    "cost",
    "cost_low",
    "cost_high",
    "error",
    "error_low",
    "error_high",
    "measured_low",
    "measured_high",
)


def recommend(
    fit: FittedLaw,
    budget: float,
    Q: float,
    sizes: Sequence[float],
    tokens: Sequence[float],
    count: int = 3,
    cost: Cost = PAPER_COST,
    study: FrozenStudy | None = None,
) -> dict[str, Any]:
    """Return the best configuration within ``budget``, the next ``count``, and cautions.

    ``tie`` of a runner-up says that the data do not distinguish it from the recommended one, see
    `indistinguishable`; ``ties`` is the number of such affordable configurations. ``law_is_constant``
    says that the law predicts the same error everywhere. ``chosen_in_draws`` is the share of bootstrap
    draws, of what ``draws_include`` names, in which the recommended one is best. ``v_star_determined``
    says whether the data show that a larger model or more tokens are better; otherwise V* says little.

    Args:
        fit: the fitted law.
        budget: the largest cost of an answer, in the cost model's unit.
        Q: text tokens per question.
        sizes: N to choose from, billions.
        tokens: V to choose from.
        count: the number of runners-up to list.
        cost: the cost of an answer.
        study: the study that the fit belongs to; it describes the errors.

    Raises:
        UserError: no configuration is cheap enough, or a value is out of range.
    """
    if not budget > 0:
        raise UserError(f"the budget must be greater than 0, got {budget:g}")
    table = by_preference(configurations(fit, sizes, tokens, Q, cost))
    ranked = _within(table, budget, cost)
    N, V, costs = (table[name].to_numpy(float) for name in ("params_b", "visual_tokens", "cost"))
    errors, first = fit.draw_errors(N, V, Q), int(ranked.index[0])
    drawn = cost_draws(cost, N, V, Q, len(errors))
    order = ranked.index
    tied = indistinguishable(fit, N[order], V[order], errors[:, order], 0)
    ranked = _with_cost_interval(ranked, cost.standard_error(N, V, Q))
    rows = [_plain(fit, row) for _, row in ranked.iloc[: 1 + count].iterrows()]
    star = best_tokens(fit, Q, min(fit.token_counts), max(fit.token_counts), cost)
    unknown = len(set(sizes)) * len(set(tokens)) - len(table)
    return {
        "budget": float(budget),
        "unit": cost.model.unit,
        "cost_model": cost.model.name,
        "cost_description": cost.words,
        "batch": cost.deployment.batch,
        "text_tokens": float(Q),
        "law": fit.law.name,
        "constraints": fit.law.constraints.in_words(),
        "suite": fit.record["data"].get("suite"),
        "subject": subject(fit, study),
        "recommended": rows[0],
        "runners_up": [
            row | {"tie": None if tied is None else bool(tied[i])}
            for i, row in enumerate(rows[1:], start=1)
        ],
        "ties": None if tied is None else int(np.sum(tied)) - 1,
        "law_is_constant": fit.is_flat,
        "chosen_in_draws": share_chosen(errors, costs if drawn is None else drawn, budget, first),
        "draws_include": ["law"] if drawn is None else ["law", "cost"],
        "v_star_determined": star is not None and trade(fit.record).side is not Side.OPEN,
        "v_star": star.value if star else None,
        "v_star_low": star.low if star else None,
        "v_star_high": star.high if star else None,
        "cautions": cautions(fit, ranked.iloc[0]) + cautions_on_cost(cost, unknown, drawn is not None),
    }


def _within(table: pd.DataFrame, budget: float, cost: Cost) -> pd.DataFrame:
    """Return the affordable configurations (`UserError` with the cheapest one if there are none)."""
    ranked = affordable(table, budget)
    if ranked.empty:
        cheapest = table.sort_values("cost", kind="stable").iloc[0]
        raise UserError(
            f"no configuration costs {cost.model.show(budget)} or less; the cheapest is "
            f"{size_label(cheapest['params_b'])} with {visual_tokens(cheapest['visual_tokens'])} at "
            f"{cost.model.show(cheapest['cost'])}: raise the budget, or allow smaller "
            "--params-b or --tokens"
        )
    return ranked


def _with_cost_interval(ranked: pd.DataFrame, noise: Numbers | None) -> pd.DataFrame:
    """Return configurations with the 95 % interval of their cost, if its noise is known.

    Args:
        ranked: some of all configurations, indexed by their positions among all.
        noise: standard errors of the costs of all configurations.
    """
    if noise is None:
        return ranked
    half = normal_quantile() * np.nan_to_num(noise)[ranked.index]  # 0 where the noise is unknown
    low, high = np.maximum(ranked["cost"] - half, 0.0), ranked["cost"] + half
    return ranked.assign(cost_low=low, cost_high=high)


def _plain(fit: FittedLaw, row: pd.Series[float]) -> dict[str, Any]:
    numbers = {str(k): None if pd.isna(v) else float(v) for k, v in row.items() if k in SHOWN}
    return numbers | {
        "models": models_of(fit, float(row["params_b"])),
        "extrapolated": bool(row["extrapolated"]),
    }
