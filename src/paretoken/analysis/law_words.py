"""The conclusions of a comparison of laws, in sentences for the terminal, summary and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paretoken.analysis.significance import p_in_words
from paretoken.io.text_tables import size_label, visual_tokens

#: AICc difference from which a law has almost no support (Burnham and Anderson 2002, page 70).
DECISIVE = 10.0
#: A sentence on quantities whose meanings differ between laws.
NOT_COMPARABLE = (
    "Exponents are comparable between laws of one form only: each exponent of the additive law belongs "
    "to its own term, so its alpha / beta is not an exchange rate, and the slopes of log_linear are not "
    "exponents. V*, choices and errors are comparable."
)

Record = Mapping[str, Any]


def sentences(comparison: Record) -> list[str]:
    """Return the conclusions of a comparison of laws, the most important first.

    Args:
        comparison: the result of `paretoken.analysis.law_comparison.compare_laws`, without ``words``.
    """
    laws = {r["law"]: r for r in comparison["laws"] if not r["reason"]}
    headline = laws[comparison["headline"]]
    kept = [r for r in laws.values() if not r["excluded"]]
    return [
        *_better(headline, laws.get(comparison["best"]), comparison["shared_noise"]),
        *_excluded(laws.values()),
        *_unfitted(comparison["laws"]),
        *_answers(comparison, headline, kept),
        NOT_COMPARABLE,
    ]


def warnings(comparison: Record | None) -> list[str]:
    """Return the sentences that question the headline law; none if nothing was compared."""
    if comparison is None:
        return []
    laws = {r["law"]: r for r in comparison["laws"] if not r["reason"]}
    headline, best = laws[comparison["headline"]], laws.get(comparison["best"])
    return _better(headline, best, comparison["shared_noise"])


def _better(headline: Record, best: Record | None, shared_noise: bool) -> list[str]:
    """Return whether another law describes the cells better than the headline law.

    AICc alone decides this only if the cells are independent.
    """
    name = headline["law"]
    pattern = (
        f"{name} leaves a pattern over N and V in the residuals ({p_in_words(headline['pattern_p'])})"
    )
    if best is None or best["law"] == name:
        return [f"{pattern}, and so does every other law."] if headline["excluded"] else []
    known = headline["aicc"] is not None and best["aicc"] is not None
    lower = headline["aicc"] - best["aicc"] if known else 0.0
    if not headline["excluded"]:
        if lower < DECISIVE or shared_noise:
            return []
        return [f"The law {best['law']} describes these cells better than {name}: {_by(lower)}."]
    if best["excluded"]:
        return [f"{pattern}, and so does every other law; {best['law']} fits best: {_by(lower)}."]
    if lower <= 0:
        return [f"{pattern}; {best['law']} leaves none, though {_by(lower)}."]
    return [f"The law {best['law']} describes these cells better than {name}: {_by(lower)}; {pattern}."]


def _by(lower: float) -> str:
    return f"its AICc is {'lower' if lower > 0 else 'higher'} by {abs(lower):.3g}"


def _excluded(laws: Sequence[Record] | Any) -> list[str]:
    """Return which laws are excluded, which are not, and which could not be tested."""
    kept = [r for r in laws if not r["excluded"]]
    gone = [f"{r['law']} ({p_in_words(r['pattern_p'])})" for r in laws if r["excluded"]]
    untested = [r["law"] for r in kept if r["pattern_p"] is None]
    lines = []
    if not kept:
        lines.append("No registered law describes the cells: each leaves a pattern in the residuals.")
    if gone:
        lines.append(f"A pattern over N and V in the residuals (5 % test) excludes: {', '.join(gone)}.")
    if kept and len(untested) < len(kept):
        names = [r["law"] for r in kept if r["pattern_p"] is not None]
        lines.append(f"The pattern test does not exclude: {', '.join(names)}.")
    if untested:
        reasons = {r["pattern_reason"] for r in kept if r["pattern_p"] is None}
        why = "; ".join(sorted(reasons))
        lines.append(f"No pattern test is possible for {', '.join(untested)} ({why}).")
    return lines


def _unfitted(laws: Sequence[Record]) -> list[str]:
    return [f"{r['law']} was not fitted: {r['reason']}." for r in laws if r["reason"]]


def _answers(comparison: Record, headline: Record, kept: Sequence[Record]) -> list[str]:
    """Return whether the laws that are not excluded lead to the same choice."""
    if not kept:
        return []
    indifferent = [r["law"] for r in kept if not r["best"]]
    lines = []
    if indifferent:
        lines.append(
            f"{', '.join(indifferent)} {'is' if len(indifferent) == 1 else 'are'} constant and not "
            "excluded: the cells do not show that N or V matters."
        )
    choosing = [r for r in kept if r["best"]]
    if not choosing:
        return lines
    stars = [r["v_star"] for r in choosing]
    at = f"V* at Q = {comparison['text_tokens']:g}"
    ends = f"{min(stars):.3g}", f"{max(stars):.3g}"
    span = f"{at} is {ends[0]}" if ends[0] == ends[1] else f"{at} is {ends[0]} to {ends[1]}"
    if len(choosing) == 1:
        only = "the only law with an answer that is not excluded"
        return [*lines, f"{span} by {choosing[0]['law']}, {only}."]
    middle = len(comparison["budgets"]) // 2
    if all(r["best"] == choosing[0]["best"] for r in choosing):
        n, v = choosing[0]["best"][middle]
        lines.append(
            "The laws that are not excluded choose the same measured sizes and token counts: at a "
            f"medium cost, {size_label(n)} with {visual_tokens(v)} is best under each. Their {span}."
        )
        return lines
    named = ", ".join(
        f"{size_label(r['best'][middle][0])} with {visual_tokens(r['best'][middle][1])} by {r['law']}"
        for r in choosing
    )
    costs = [r["regret"] for r in choosing if r["regret"] is not None]
    price = (
        f" Choosing by {headline['law']} raises the error by at most {max(costs):.2g} under any of them."
        if costs
        else ""
    )
    lines.append(
        "The laws that are not excluded give different answers: the best of the grid at a medium cost "
        f"is {named}; {span}.{price}"
    )
    return lines
