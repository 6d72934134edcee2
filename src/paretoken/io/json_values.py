"""Counting the values of a JSON text before it is parsed.

An empty list has two characters in JSON and a hundred bytes in memory: a file of megabytes could take
gigabytes. Each value except the first follows the start of a list or an object, or a comma.
"""

from __future__ import annotations

import re

from paretoken.errors import UserError

#: Most values of a JSON file: a tokenizer of 260,000 tokens and 510,000 merges has two million. A large
#: file may have one per so many bytes, as scores of 200,000 questions with ten answers each do.
MOST_VALUES, BYTES_PER_VALUE = 4_000_000, 16
#: Most values of one row of a data set.
MOST_ROW_VALUES = 1_000_000

#: A string (to the end, if it is not terminated), or a mark that begins, ends or separates values.
STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
#: Everything up to the mark before the next value, strings included; or the rest.
_NEXT_VALUE = re.compile(
    rb'(?:[^"\[{,]++|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z))*+(?:([\[{,])|\Z)', re.DOTALL
)


def values_at_most(text: str | bytes) -> int:
    """Return an upper bound of the values of a JSON text: marks within strings count, too."""
    if isinstance(text, str):
        return sum(map(text.count, "[{,"))
    return sum(map(text.count, (b"[", b"{", b",")))


def require_few_values(content: bytes, name: str) -> None:
    """Require that the content of a JSON file has not too many values.

    Args:
        content: the bytes, which are not parsed yet, nor known to be JSON.
        name: what to call the file in messages.

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
                f"{name} has more than {most:,} values; at most so many are read from a file of its size"
            )


def require_few_row_values(text: str, start: int = 0) -> None:
    """Require that a row of a data set has not too many values.

    Args:
        text: JSON, which may be cut off and may continue after the row.
        start: index of the row's first character.

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
