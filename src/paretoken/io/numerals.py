"""Numbers as files write them: the same texts are numbers to a check and to the job that it is for.

`float` alone takes more than tables mean: ``0.6_1``, digits of other scripts, ``infinity``.
"""

from __future__ import annotations

import math
import re

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def number_of(text: str) -> float:
    """Return the number that a text writes with the digits 0 to 9, a point and an exponent, else NaN.

    Infinity is not a number of a table; one that is too large for a float is infinite.
    """
    return float(text) if _DECIMAL.fullmatch(text) else math.nan
