"""The ids of a data set's rows, in a form that does not depend on the file format.

JSON, Parquet and pandas may convert ``1`` to ``1.0`` or ``"1"``. The three are the same id, and so are
texts that differ only in surrounding white space.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from numbers import Number
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import Row
from paretoken.evaluate.benchmarks.values import is_missing
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted

#: The column of the row's unique id in files of `paretoken questions`.
ROW_ID = "_id"
#: Most ids that a message shows.
SHOWN = 5

Key = tuple[str, ...]
#: Whole numbers as pandas writes them in a column with missing values.
_WHOLE = re.compile(r"^(-?\d+)\.0$")


def id_text(value: Any, column: str) -> str:
    """Return an id as text; whole numbers are written without a decimal point.

    Raises:
        BadRowError: the id is empty, or neither a text nor a whole number.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        raise BadRowError(f"its {column} is missing; give every row a unique id")
    if isinstance(value, bool | float) or not isinstance(value, str | Number):
        raise BadRowError(f"its {column} is {shown(value)}; write a text or a whole number")
    return _WHOLE.sub(r"\1", str(value).strip())


def usable_keys(rows: Sequence[Row], keys: Sequence[Key]) -> list[Key]:
    """Return the keys that identify rows: the row id of `paretoken questions`, and the data set's own.

    The data set's own key is the first of ``keys`` of which some row has all columns, if there is one.
    """
    own = next((key for key in keys if any(all(c in row for c in key) for row in rows)), None)
    return [*([(ROW_ID,)] if any(ROW_ID in row for row in rows) else []), *([own] if own else [])]


def ids_of(rows: Sequence[Row], key: Key, origin: str) -> list[Key]:
    """Return the id of every row, one text per column of the key.

    Raises:
        UserError: a row has no valid id; the message names the row.
    """
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(tuple(id_text(row.get(column), column) for column in key))
        except BadRowError as error:
            raise UserError(f"{origin}, row {number}: {error}") from error
    return found


def require_unique(rows: Sequence[Row], key: Key, origin: str) -> list[Key]:
    """Return the ids of rows, and require that they are unique.

    Raises:
        UserError: a row has no id, or there are duplicates; the message names them and their rows.
    """
    ids = ids_of(rows, key, origin)
    repeated = [each for each, times in Counter(ids).items() if times > 1]
    if repeated:
        raise UserError(
            f"{origin}: {len(repeated)} of {counted(len(set(ids)), 'id')} "
            f"{'appears' if len(repeated) == 1 else 'appear'} more than once; ids must be unique: "
            f"remove the duplicate rows:\n{_listing(ids, repeated, key)}"
        )
    return ids


def _listing(ids: Sequence[Key], repeated: Sequence[Key], key: Key) -> str:
    places: dict[Key, list[int]] = {each: [] for each in repeated[:SHOWN]}
    for number, each in enumerate(ids, start=1):
        if each in places:
            places[each].append(number)
    lines = [f"  - {in_words(key, each)}: rows {_numbers(rows)}" for each, rows in places.items()]
    more = len(repeated) - SHOWN
    return "\n".join([*lines, *([f"  - and {more} more"] if more > 0 else [])])


def _numbers(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:SHOWN])) + (", ..." if len(rows) > SHOWN else "")


def in_words(key: Key, values: Key) -> str:
    """Return an id with the names of its columns, for messages."""
    return ", ".join(f"{column} {shown(value)}" for column, value in zip(key, values, strict=True))
