"""Levels of tests and intervals, and tolerances for rounding."""

from __future__ import annotations

#: Confidence level of all intervals.
LEVEL = 0.95
#: Significance level of all tests: their probability of finding an effect that does not exist.
SIGNIFICANT = 0.05
#: Numbers that differ by less than this share count as equal; an exponent below it counts as 0.
ROUNDING = 1e-12
#: A sum of squares below this share of that of the errors is due to rounding: the fit is exact.
EXACT = 1e-24


def is_significant(p_value: float | None) -> bool:
    """Return whether a p value is significant; False without a p value."""
    return p_value is not None and p_value < SIGNIFICANT


def p_in_words(p_value: float | None) -> str:
    """Return a p value as text."""
    if p_value is None:
        return "p not known"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
