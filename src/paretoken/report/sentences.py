"""Clauses that answer a study's question from a fit, shared by the summary and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paretoken.analysis.closed_form_optimum import best_tokens
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.trade import Side, assumed_slopes, trade
from paretoken.io.text_tables import number_text, range_text, visual_tokens


def verdict(fit: FittedLaw, symbol: str = "α/β") -> str:
    """Return whether a larger model or more tokens are better, with alpha / beta and its interval."""
    record = fit.record
    if not fit.law.slopes:
        return "the fitted law is a constant, in which neither model size nor visual tokens matter"
    if not fit.law.constant_optimum:
        return "the best number of visual tokens depends on the budget (see the frontier)"
    if fit.is_flat:
        return (
            "the measured errors fall neither with model size nor with visual tokens, so that the data "
            "do not show which is better"
        )
    assumed = assumed_slopes(record)
    if assumed:
        return (
            f"the fit assumes {assumed}, so that it cannot show whether a larger model or more visual "
            "tokens are better"
        )
    found = trade(record)
    numbers = f"{symbol} = {_ratio(fit)}"
    return f"{found.side} ({'; '.join(filter(None, [numbers, found.because, _misfit(record)]))})"


def _misfit(record: Mapping[str, Any]) -> str:
    """Return a clause if the residuals exclude the law; empty if they do not, or were not tested."""
    compared = (record.get("laws") or {"laws": []})["laws"]
    excluded = any(law["excluded"] for law in compared if law["law"] == record["law"])
    return "the law leaves a pattern over N and V in the residuals" if excluded else ""


def optimum(fit: FittedLaw, Q: float | None) -> str:
    """Return how many visual tokens are best, with the interval; empty if the fit does not show it.

    Args:
        fit: the fit of one suite.
        Q: text tokens per question; None if the study's text is always cached.
    """
    side = trade(fit.record).side
    if not fit.law.constant_optimum or fit.is_flat or side is Side.TOKENS or assumed_slopes(fit.record):
        return ""
    if Q is None:
        larger = side is Side.LARGER
        return "with cached text the fewest visual tokens are best at any budget" if larger else ""
    least, most = min(fit.token_counts), max(fit.token_counts)
    star = best_tokens(fit, Q, least, most)
    if star is None:
        return ""
    ends = star.ends()
    if side is Side.OPEN:
        within = f" (anywhere from {ends})" if ends else ""
        return f"they do not show how many visual tokens are best with {Q:g} text tokens either{within}"
    interval = f", 95\u00a0% interval {ends}" if ends else ""
    condition = f"with {Q:g} text tokens, if models of every size were available,"
    if star.low is None or star.low <= 1 or least > 1:
        best = "is best" if f"{star.value:.3g}" == "1" else "are best"
        shown = f"{visual_tokens(star.value, '.3g')} {best}"
        return f"{condition} {shown} at any inference cost 2N(Q + V){interval}"
    shown = f"not one but about {star.ends('.2g')} visual tokens are best"
    return (
        f"{condition} {shown} at any inference cost 2N(Q + V) "
        f"(V* = {star.value:.3g}{interval}); with cached text one is best"
    )


def _ratio(fit: FittedLaw) -> str:
    value = fit.record["alpha_over_beta"]
    shown = number_text(value, ".2f")
    interval = fit.record["intervals"].get("alpha_over_beta")
    if not interval or not len(fit.draws):
        return shown
    return f"{shown}, 95\u00a0% interval {range_text(interval['low'], interval['high'], '.3g')}"
