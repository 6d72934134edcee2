"""The scale of measured errors: shares from 0 to 1, percentages, or a mixture of both in one suite."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: The percentage of a share of 1.
PERCENT = 100
#: Two scales are mixed if dividing the errors above 1 by `PERCENT` reduces the spread of all errors by
#: more than this factor. With percentages among shares the factor is about 100; the spread of losses
#: around 1 grows instead.
TOGETHER = 10
#: By how much the sum of a score and an error, both rounded, may differ from 1.
ROUNDING = 0.01


def mixed_scales(errors: Sequence[float]) -> tuple[float, float] | None:
    """Return a share and a percentage among the errors of one suite; None if they are on one scale.

    Args:
        errors: the errors of the suite, each 0 or more.
    """
    known = [error for error in errors if error > 0]
    shares, others = ([e for e in known if (e <= 1) == small] for small in (True, False))
    if not shares or not others:
        return None
    rescaled = [*shares, *(error / PERCENT for error in others)]
    if _spread(known) <= TOGETHER * _spread(rescaled):
        return None
    return max(shares), min(others)


def _spread(values: Sequence[float]) -> float:
    low = min(values)
    return max(values) / low if low else math.inf


def contradicts(score: float, error: float) -> bool:
    """Return whether a score and an error, both from 0 to 1, contradict each other."""
    both_shares = 0 <= score <= 1 and 0 <= error <= 1
    return both_shares and abs(score + error - 1) > ROUNDING
