"""Limits on products of a user's numbers, so that the computation fits in memory.

A small file of a fit, or a small table, can ask for every size with every token count, times every draw
of a bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from paretoken.errors import UserError

#: Most cells that a law is fitted to: the search keeps a few hundred small matrices per cell.
MOST_FITTED = 100_000
#: Most sizes times token counts that are compared.
MOST_CONFIGURATIONS = 1_000_000
#: Most draws of a bootstrap times cells or configurations: numbers that are held at once.
MOST_NUMBERS = 400_000_000


def require_product(where: str, factors: Mapping[str, int], most: int) -> None:
    """Raise `UserError` if the product of some counts is too large, before memory is allocated.

    Args:
        where: the file or the option that the counts come from.
        factors: the counts by name.
        most: the largest allowed product.
    """
    found = prod(factors.values())
    if found > most:
        words = " times ".join(f"{count:,} {name}" for name, count in factors.items())
        words += f" are {found:,}" if len(factors) > 1 else ""
        raise UserError(f"{where}: {words}; at most {most:,} are allowed; give fewer")
