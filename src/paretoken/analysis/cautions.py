"""Cautions about a recommendation, in sentences."""

from __future__ import annotations

import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.costs.models.base import Cost
from paretoken.io.text_tables import size_label


def cautions(fit: FittedLaw, best: pd.Series[float]) -> list[str]:
    """Return the cautions about the best configuration of a fit."""
    sentences = []
    if fit.is_flat:
        sentences.append(
            "The fitted error falls neither with model size nor with visual tokens: the cheapest "
            "configuration is recommended for its cost alone."
        )
    sentences += fit.record.get("cautions", [])
    sizes = fit.fitted_sizes
    if not min(sizes) <= best["params_b"] <= max(sizes):
        sentences.append(
            f"{size_label(best['params_b'])} lies outside the fitted sizes: its predicted error is an "
            "extrapolation."
        )
    low, high = min(fit.token_counts), max(fit.token_counts)
    if not low <= best["visual_tokens"] <= high:
        sentences.append(
            f"The token count {best['visual_tokens']:g} lies outside the fitted range {low:g} to "
            f"{high:g}: the predicted error is an extrapolation."
        )
    if best["extrapolated"] and fit.covers(best["params_b"], best["visual_tokens"]):
        sentences.append(
            "With this number of text tokens, Q + V lies outside the fitted range: the predicted error "
            "is an extrapolation."
        )
    most = (fit.record.get("possible_errors") or (None, None))[1]
    below = best["error"] < 0
    if below or (most is not None and best["error"] > most):
        beyond = "below 0" if below else f"above {most:g}"
        losses = "" if below else " (if the errors are losses, which may be larger, fit with --losses)"
        sentences.append(
            f"An error {beyond} is impossible: the law gives no useful prediction there{losses}."
        )
    return sentences


def cautions_on_cost(cost: Cost, unknown: int, spread: bool) -> list[str]:
    """Return the cautions about the cost.

    Args:
        cost: the cost of an answer.
        unknown: the number of configurations whose cost is unknown.
        spread: whether the uncertainty of the measured cost is known.
    """
    sentences = []
    if unknown:
        sentences.append(
            f"Configurations of unknown cost were not considered: {unknown}, outside the measured range "
            "or the known sizes."
        )
    table = cost.deployment.latency
    if not cost.measured or table is None:
        return sentences
    if not spread:
        sentences.append(
            f"The cost is treated as exact: {table.origin} does not report the uncertainty of its "
            "measurements."
        )
    if table.whole_answers:
        sentences.append(
            f"{table.origin} holds whole answers to the study's own questions: the cost does not depend "
            "on the text tokens."
        )
    return sentences
