"""Which size and token count to use under a budget, with the runners-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import (
    affordable,
    by_preference,
    closed_form,
    configurations,
    share_choosing_first,
)
from paretoken.cost_models.base import Cost, CostModel
from paretoken.cost_models.paper import PAPER_COST
from paretoken.errors import UserError
from paretoken.registry import COST_MODELS
from paretoken.text_tables import size_label, visual_tokens

#: What a configuration is described by.
SHOWN = ("params_b", "visual_tokens", "cost", "error", "error_low", "error_high")


def recommend(
    fit: FittedLaw,
    budget: float,
    Q: float,
    sizes: Sequence[float],
    tokens: Sequence[float],
    count: int = 3,
    cost: Cost = PAPER_COST,
) -> dict[str, Any]:
    """Return the best configuration within ``budget``, the next ``count``, and what to mind.

    Args:
        fit: the law that predicts.
        budget: the most that an answer may cost, in the cost model's unit.
        Q: text tokens per question.
        sizes: N to choose from, billions.
        tokens: V to choose from.
        count: how many runners-up to list.
        cost: of an answer.

    Raises:
        UserError: no configuration is cheap enough, or a value is out of range.
    """
    if not budget > 0:
        raise UserError(f"the budget must be greater than 0, got {budget:g}")
    table = configurations(fit, sizes, tokens, Q, cost)
    ranked = by_preference(affordable(table, budget))
    if ranked.empty:
        cheapest = table.sort_values("cost", kind="stable").iloc[0]
        raise UserError(
            f"no configuration costs {cost.model.show(budget)} or less; the cheapest is "
            f"{size_label(cheapest['params_b'])} with {visual_tokens(cheapest['visual_tokens'])} at "
            f"{cost.model.show(cheapest['cost'])}: raise the budget, or allow smaller --n or --v"
        )
    best = ranked.iloc[0]
    N, V = (ranked[name].to_numpy(float) for name in ("params_b", "visual_tokens"))
    unknown = len(set(sizes)) * len(set(tokens)) - len(table)
    return {
        "budget": float(budget),
        "unit": cost.model.unit,
        "cost_model": cost.model.name,
        "counts": cost.words,
        "text_tokens": float(Q),
        "law": fit.law.name,
        "suite": fit.record["data"].get("suite"),
        "recommended": _plain(best),
        "runners_up": [_plain(row) for _, row in ranked.iloc[1 : 1 + count].iterrows()],
        "chosen_in_draws": share_choosing_first(fit.draw_errors(N, V, Q)),
        "v_star": closed_form(fit, Q, min(tokens), max(tokens), cost),
        "mind": _mind(fit, best, ranked) + _mind_cost(cost, unknown),
    }


def _plain(row: pd.Series[float]) -> dict[str, float | None]:
    return {str(k): None if pd.isna(v) else float(v) for k, v in row.items() if k in SHOWN}


def _mind(fit: FittedLaw, best: pd.Series[float], ranked: pd.DataFrame) -> list[str]:
    """Return what a careful reader would ask about the recommendation."""
    sentences = []
    sizes = fit.fitted_sizes
    if fit.is_flat:
        sentences.append(
            "The fitted error falls neither with size nor with tokens: the cheapest configuration is "
            "named, and nothing speaks for it but its cost."
        )
    if not min(sizes) <= best["params_b"] <= max(sizes):
        sentences.append(
            f"{size_label(best['params_b'])} lies outside the fitted sizes: an extrapolation."
        )
    low, high = min(fit.token_counts), max(fit.token_counts)
    if not low <= best["visual_tokens"] <= high:
        sentences.append(
            f"{best['visual_tokens']:g} tokens lie outside the fitted range "
            f"{low:g} to {high:g}: an extrapolation."
        )
    if best["error"] < 0:
        sentences.append("An error below 0 cannot be: the law says nothing useful there.")
    if len(ranked) > 1:
        second = ranked.iloc[1]
        if second["error"] - best["error"] < fit.record["rmse"]:
            sentences.append(
                f"The runner-up ({size_label(second['params_b'])} with {second['visual_tokens']:g} "
                f"tokens) is within the fit's rmse ({fit.record['rmse']:.2g}): a tie, in practice."
            )
    return sentences


def _mind_cost(cost: Cost, unknown: int) -> list[str]:
    """Return what a careful reader would ask about the cost."""
    sentences = []
    if unknown:
        sentences.append(
            f"The cost of {unknown} configurations is not known (outside of what was measured, or of "
            "the known sizes); they were not considered."
        )
    table = cost.deployment.latency
    if table is not None and table.whole_answers and "latency" in cost.model.needs:
        sentences.append(
            f"{table.origin} holds whole answers to the study's own questions: the cost does not move "
            "with the text tokens."
        )
    return sentences


def in_words(answer: dict[str, Any]) -> str:
    """Return the recommendation as a few lines of text."""
    model: CostModel = COST_MODELS.load(answer["cost_model"])
    lines = [
        f"With {model.show(answer['budget'])}{model.each} and {answer['text_tokens']:g} text "
        f"tokens, use {_words(model, answer['recommended'])}."
    ]
    for place, row in enumerate(answer["runners_up"], start=2):
        lines.append(f"  {'next best: ' if place == 2 else f'{place}. '}{_words(model, row)}")
    if answer["chosen_in_draws"] is not None:
        lines.append(f"Best in {100 * answer['chosen_in_draws']:.0f} % of the bootstrap draws.")
    if answer["v_star"] is not None:
        lines.append(
            f"If every size could be had, {visual_tokens(answer['v_star'], '.3g')} would be best "
            "at any budget (by formula)."
        )
    suite = f" of {answer['suite']}" if answer["suite"] else ""
    left_out = f" (left out: {model.leaves_out})" if model.leaves_out else ""
    lines.append(f"By the {answer['law']} law{suite}; cost: {answer['counts']}{left_out}.")
    return "\n".join(lines + [f"Mind: {sentence}" for sentence in answer["mind"]])


def _words(model: CostModel, row: dict[str, float | None]) -> str:
    interval = ""
    if row["error_low"] is not None:
        interval = f" (95 % interval {row['error_low']:.4f} to {row['error_high']:.4f})"
    return (
        f"{size_label(row['params_b'] or 0.0)} with {visual_tokens(row['visual_tokens'] or 0.0)}: "
        f"expected error {row['error']:.4f}{interval}, {model.show(row['cost'] or 0.0)}"
    )
