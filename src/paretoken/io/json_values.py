"""How many values a JSON text makes, counted before it is parsed.

An empty list has two characters in JSON and a hundred bytes in memory: a file of megabytes would take
gigabytes. Each value but the first begins a list or an object or follows a comma.
"""

from __future__ import annotations

import re

from paretoken.errors import UserError

#: Values of a JSON file: a tokenizer of 260,000 tokens and 510,000 merges has two million. A large file
#: may have one per so many bytes, as scores of 200,000 questions with ten people's answers each do.
MOST_VALUES, BYTES_PER_VALUE = 4_000_000, 16
#: Values of one row of a data set.
MOST_ROW_VALUES = 1_000_000

#: A text (to the end, if it has none), or what begins, ends and separates values.
STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
#: What stands before a value but the first, texts included, with the mark before it; or the rest.
_NEXT_VALUE = re.compile(
    rb'(?:[^"\[{,]++|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z))*+(?:([\[{,])|\Z)', re.DOTALL
)


def values_at_most(text: str | bytes) -> int:
    """Return a number of values that a JSON text does not exceed: marks within texts count, too."""
    if isinstance(text, str):
        return sum(map(text.count, "[{,"))
    return sum(map(text.count, (b"[", b"{", b",")))


def require_few_values(content: bytes, name: str) -> None:
    """Refuse the content of a JSON file that would make too many values.

    Args:
        content: not parsed yet, nor known to be JSON.
        name: what to call it in messages.

    Raises:
        UserError: it has more values than `MOST_VALUES`, and more than one per `BYTES_PER_VALUE`.
    """
    most = max(MOST_VALUES, len(content) // BYTES_PER_VALUE)
    if values_at_most(content) <= most:
        return
    values = 0
    for found in _NEXT_VALUE.finditer(content):
        values += found[1] is not None
        if values > most:
            raise UserError(
                f"{name} has more than {most:,} values; no more are read of a file of its size"
            )


def require_few_row_values(text: str, start: int = 0) -> None:
    """Refuse a row of a data set that would make too many values.

    Args:
        text: JSON, which may be cut off and may go on behind the row.
        start: where the row begins.

    Raises:
        ValueError: it has more values than `MOST_ROW_VALUES`.
    """
    depth = values = 0
    for found in STRUCTURE.finditer(text, start):
        mark = found[0]
        depth += (mark in "[{") - (mark in "]}")
        values += mark in "[{,"
        if values > MOST_ROW_VALUES:
            raise ValueError(f"it has more than {MOST_ROW_VALUES:,} values")
        if depth <= 0:
            return
