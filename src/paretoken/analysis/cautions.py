"""What a careful reader would ask about a recommendation, in sentences."""

from __future__ import annotations

import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.costs.models.base import Cost
from paretoken.io.text_tables import size_label


def cautions(fit: FittedLaw, best: pd.Series[float]) -> list[str]:
    """Return what to mind about the best configuration of a fit."""
    sentences = []
    if fit.is_flat:
        sentences.append(
            "The fitted error falls neither with size nor with tokens: the cheapest configuration is "
            "named, and nothing speaks for it but its cost."
        )
    sentences += fit.record.get("cautions", [])
    sizes = fit.fitted_sizes
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
    if best["extrapolated"] and fit.covers(best["params_b"], best["visual_tokens"]):
        sentences.append(
            "With these text tokens Q + V lies outside of what was fitted: an extrapolation."
        )
    most = (fit.record.get("possible_errors") or (None, None))[1]
    below = best["error"] < 0
    if below or (most is not None and best["error"] > most):
        beyond = "below 0" if below else f"above {most:g}"
        losses = "" if below else " (if errors are losses, which may be larger: fit with --losses)"
        sentences.append(f"An error {beyond} cannot be: the law says nothing useful there{losses}.")
    return sentences


def cautions_on_cost(cost: Cost, unknown: int, spread: bool) -> list[str]:
    """Return what to mind about the cost.

    Args:
        cost: of an answer.
        unknown: how many configurations have no known cost.
        spread: whether it is known how far the measured cost is off.
    """
    sentences = []
    if unknown:
        sentences.append(
            f"The cost of {unknown} configurations is not known (outside of what was measured, or of "
            "the known sizes); they were not considered."
        )
    table = cost.deployment.latency
    if not cost.measured or table is None:
        return sentences
    if not spread:
        sentences.append(
            f"The cost is taken as exact: {table.origin} does not say how far its measurements are off."
        )
    if table.whole_answers:
        sentences.append(
            f"{table.origin} holds whole answers to the study's own questions: the cost does not move "
            "with the text tokens."
        )
    return sentences
