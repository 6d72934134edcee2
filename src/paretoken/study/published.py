"""Published tables that a study is compared with (`published:` in the config), and their validation.

Jobs read them with these functions, and `paretoken check` validates them before any job.
"""

from __future__ import annotations

from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.csv_tables import keyed_rows, number_in
from paretoken.io.ranges import MOST_TOKENS

VALUE_KEY = ("suite", "quantity")
TABLE1_KEY = ("method", "visual_tokens", "benchmark")
VALUES = (*VALUE_KEY, "value", "source")
TABLE1 = (*TABLE1_KEY, "score", "source")
#: The variant of a fit that repeats the paper's grid search, and the law that the paper fits.
PAPER_GRID, PAPER_LAW = "paper_grid", "product"
#: Text tokens of the paper's questions.
PAPER_Q = 50.0
#: Quantities that must be above 0, and those that must not be below 0; a name that ends in an underscore
#: is a prefix. Other quantities may be any number.
ABOVE_ZERO = ("alpha", "beta", "K", "exponent_ratio", "unseen_params_b", "optimal_tokens_")
NOT_BELOW_ZERO = ("D", "largest_error_percent", "gap_closed_")


def read_values(path: Path) -> dict[tuple[str, str], float]:
    """Return published numbers by suite and quantity, without empty cells.

    Raises:
        UserError: the table cannot be read, lacks a column, has a duplicate key, or has a value that is
            not a number in the range of its quantity.
    """
    rows = keyed_rows(path, VALUES, VALUE_KEY)
    found = {}
    for line, row in enumerate(rows, start=2):
        if row["value"]:
            key, where = (row["suite"], row["quantity"]), f"{path}, row {line}"
            above = _is_one_of(row["quantity"], ABOVE_ZERO)
            least = 0.0 if above or _is_one_of(row["quantity"], NOT_BELOW_ZERO) else None
            found[key] = number_in(where, row, "value", least=least, above=above)
    return found


def read_table1(path: Path) -> dict[tuple[str, int, str], float]:
    """Return published scores by method, visual tokens and benchmark, without empty cells.

    Raises:
        UserError: the table cannot be read, lacks a column, has a duplicate key, or has an invalid
            number of tokens or a score that is not a number >= 0.
    """
    found = {}
    for line, row in enumerate(keyed_rows(path, TABLE1, TABLE1_KEY), start=2):
        where = f"{path}, row {line}"
        tokens = number_in(where, row, "visual_tokens", least=1, most=MOST_TOKENS, whole=True)
        key = (row["method"], int(tokens), row["benchmark"])
        if key in found:
            raise UserError(f"{where}: {', '.join(map(str, key))} appears twice; write it once")
        if row["score"]:
            found[key] = number_in(where, row, "score")
    return found


def _is_one_of(quantity: str, names: tuple[str, ...]) -> bool:
    return any(quantity == n or (n.endswith("_") and quantity.startswith(n)) for n in names)
