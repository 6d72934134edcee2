"""On which scale measured errors are: shares from 0 to 1, percentages, or both in one suite."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: What a percentage is of a share.
PERCENT = 100
#: Two scales are mixed if errors that are divided by `PERCENT` where they are above 1 come together by
#: more than this factor: percentages among shares do by about 100, and losses around 1 spread instead.
TOGETHER = 10
#: By how much a score and an error, both rounded, may miss a sum of 1.
ROUNDING = 0.01


def mixed_scales(errors: Sequence[float]) -> tuple[float, float] | None:
    """Return a share and a percentage among the errors of one suite; None if they are on one scale.

    Args:
        errors: of 0 or more.
    """
    known = [error for error in errors if error > 0]
    shares, others = ([e for e in known if (e <= 1) == small] for small in (True, False))
    if not shares or not others:
        return None
    mended = [*shares, *(error / PERCENT for error in others)]
    if _spread(known) <= TOGETHER * _spread(mended):
        return None
    return max(shares), min(others)


def _spread(values: Sequence[float]) -> float:
    low = min(values)
    return max(values) / low if low else math.inf


def contradicts(score: float, error: float) -> bool:
    """Return whether a score and an error of 0 to 1 are not two sides of one measurement."""
    both_shares = 0 <= score <= 1 and 0 <= error <= 1
    return both_shares and abs(score + error - 1) > ROUNDING
