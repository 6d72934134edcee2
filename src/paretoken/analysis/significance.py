"""When a number is told from another one: the levels of tests and intervals, and what is rounding."""

from __future__ import annotations

#: Of all intervals.
LEVEL = 0.95
#: Chance with which a test finds something that is not there.
SIGNIFICANT = 0.05
#: Numbers that differ by less than this share are equal; an exponent below it is 0.
ROUNDING = 1e-12
#: A sum of squares below this share of that of the errors is rounding: the fit is exact.
EXACT = 1e-24


def is_significant(p_value: float | None) -> bool:
    """Return whether a test found more than chance explains; not without a p value."""
    return p_value is not None and p_value < SIGNIFICANT


def p_in_words(p_value: float | None) -> str:
    """Return a p value as text."""
    if p_value is None:
        return "p not known"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
