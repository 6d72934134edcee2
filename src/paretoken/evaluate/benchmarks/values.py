"""Values as data sets write them: texts that may be numbers, lists that may be texts, empty cells."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Sequence
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Row


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def text(value: Any) -> str:
    """Return a value as text: empty for an empty cell, numbers and lists as Python writes them."""
    if isinstance(value, str):
        return value
    return "" if is_missing(value) else str(value)


def response(row: Row) -> str:
    """Return a row's prediction without the white space around it."""
    return text(row.get("prediction")).strip()


def gold(row: Row, column: str = "answer") -> str:
    """Return a row's right answer as text.

    Raises:
        BadRowError: the cell is empty, as in test splits whose answers are hidden.
    """
    if is_missing(row.get(column)):
        raise BadRowError(f"its {column} is empty; a split with hidden answers cannot be scored here")
    return text(row[column])


def listed(row: Row, column: str) -> list[Any]:
    """Return a cell that holds a list, or a list written as text; empty cells are empty lists.

    Raises:
        BadRowError: it is neither.
    """
    value = row.get(column)
    if is_missing(value) or value == "":
        return []
    if isinstance(value, str):
        value = parsed_list(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise BadRowError(f"its {column} is no list: {row.get(column)!r}")
    return list(value)


def accepted(row: Row) -> list[Any]:
    """Return the list of accepted answers of a row, see `listed`.

    Raises:
        BadRowError: there are none, as in test splits whose answers are hidden.
    """
    found = listed(row, "answers")
    if not found:
        raise BadRowError("it has no answers; a split with hidden answers cannot be scored here")
    return found


def texts(row: Row, column: str) -> list[str]:
    """Return the texts in a cell that holds a list, see `listed`."""
    return [text(value) for value in listed(row, column)]


def parsed_list(value: str) -> list[Any] | None:
    """Return the list that a text holds in Python's or JSON's notation, None if it holds none."""
    if not value.lstrip().startswith("["):
        return None
    for parse in (ast.literal_eval, json.loads):
        try:
            found = parse(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return found if isinstance(found, list) else None
    return None


def whole(row: Row, column: str) -> int:
    """Return a cell as a whole number; it may be written as text or with a decimal point.

    Raises:
        BadRowError: it is none.
    """
    value = row.get(column)
    try:
        number = float(text(value))
        if number.is_integer():
            return int(text(value)) if isinstance(value, str) and value.isdigit() else int(number)
    except (ValueError, OverflowError):
        pass
    raise BadRowError(f"its {column} is {value!r}; it must be a whole number")
