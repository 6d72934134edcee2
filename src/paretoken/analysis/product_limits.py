"""How large the products of a user's numbers may be: what is larger would not fit in memory.

A fit read from a file, or a table, can be small and ask for every size with every token count, times
every draw of a bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from paretoken.errors import UserError

#: Cells that a law is fitted to: the search keeps a few hundred small matrices per cell.
MOST_FITTED = 100_000
#: Sizes times token counts that are compared.
MOST_CONFIGURATIONS = 1_000_000
#: Draws of a bootstrap times cells or configurations: numbers that are held at once.
MOST_NUMBERS = 400_000_000


def require_product(where: str, factors: Mapping[str, int], most: int) -> None:
    """Raise `UserError` if the product of some counts is too large, before anything is made of it.

    Args:
        where: the file or the option that they come from.
        factors: how many there are of what.
        most: the largest product.
    """
    found = prod(factors.values())
    if found > most:
        words = " times ".join(f"{count:,} {name}" for name, count in factors.items())
        words += f" are {found:,}" if len(factors) > 1 else ""
        raise UserError(f"{where}: {words}; at most {most:,} are allowed; give fewer")
