"""Parsing numbers in files, in the same way for checks and for the jobs that they are for.

`float` alone accepts too much: ``0.6_1``, digits of other scripts, ``infinity``.
"""

from __future__ import annotations

import math
import re

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def number_of(text: str) -> float:
    """Return the number in a text (digits 0 to 9, decimal point, exponent); NaN if it is not one.

    The word infinity is not accepted; a number that is too large for a float becomes infinite.
    """
    return float(text) if _DECIMAL.fullmatch(text) else math.nan
