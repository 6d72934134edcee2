"""Reading CSV tables and validating their columns, keys and numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.csv_files import Row, csv_rows
from paretoken.io.escape import shown
from paretoken.io.numerals import number_of
from paretoken.io.ranges import LARGEST_AMOUNT


def table_rows(path: Path, columns: Sequence[str]) -> list[Row]:
    """Return the rows of a table as text, with blanks around values stripped.

    Raises:
        UserError: it cannot be read, lacks one of ``columns``, names a column twice, or has a row with
            more fields than columns.
    """
    names, rows = csv_rows(path)
    _require_header(path, names, columns)
    return list(rows)


def _require_header(path: Path, names: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in names]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        raise UserError(f"{path} lacks the {noun} {', '.join(missing)}")
    twice = [name for name, times in Counter(names).items() if times > 1 and name]
    if twice:
        raise UserError(f"{path} names the column {shown(twice[0])} twice; write each once")


def require_unique(path: Path, rows: Sequence[Row], key: Sequence[str]) -> None:
    """Require that each row of a table has a key, and that no two rows share one.

    Args:
        path: the table, for messages.
        rows: its rows.
        key: names of the columns that form the key.

    Raises:
        UserError: a key is empty or a duplicate; the message names the row.
    """
    seen = set()
    for line, row in enumerate(rows, start=2):
        found = tuple(row[name] for name in key)
        if not all(found):
            missing = next(name for name in key if not row[name])
            raise UserError(f"{path}, row {line}: {missing} is empty; fill it in, or remove the row")
        if found in seen:
            raise UserError(f"{path}, row {line}: {', '.join(found)} appears twice; write it once")
        seen.add(found)


def keyed_rows(path: Path, columns: Sequence[str], key: Sequence[str]) -> list[Row]:
    """Return the rows of a table; `UserError` if it has none, or if their keys are not unique."""
    rows = table_rows(path, columns)
    if not rows:
        raise UserError(f"{path} has no rows")
    require_unique(path, rows, key)
    return rows


def number_in(
    where: str,
    row: Mapping[str, str],
    name: str,
    *,
    least: float | None = 0.0,
    most: float = LARGEST_AMOUNT,
    above: bool = False,
    whole: bool = False,
) -> float:
    """Return a number of a row.

    Args:
        where: the file and the row, for messages.
        row: the row, by column.
        name: name of the column.
        least: the smallest number that is allowed; None: no lower bound.
        most: the largest number that is allowed.
        above: whether the number must be larger than ``least``.
        whole: whether it must be a whole number.

    Raises:
        UserError: the cell holds something else.
    """
    value = number_of(row[name])
    lowest = -most if least is None else least
    enough = value > lowest if above else value >= lowest
    if not (enough and value <= most) or (whole and value % 1):
        kind = "a whole number" if whole else "a number"
        low = "" if least is None else f" above {least:g}" if above else f" of {least:g} or more"
        got = "it is empty" if not row[name] else f"got {shown(row[name])}"
        limit = f" and at most {most:,.15g}" if value > most else ""
        raise UserError(f"{where}: {name} must be {kind}{low}{limit}; {got}: correct it")
    return value
