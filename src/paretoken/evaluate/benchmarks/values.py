"""Values as data sets write them: texts that may be numbers, lists that may be texts, empty cells.

What is neither (true or false, an object, a list within a list) is never read as a text.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Number
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.data.row_keys import kind_of
from paretoken.evaluate.benchmarks.base import Row
from paretoken.io.escape import shown
from paretoken.io.numerals import number_of

#: Characters of a value that a message shows.
SHOWN = 60

#: Characters of a list that is written as a text: Python's parser takes 150 bytes for each.
LONGEST_LIST = 1 << 20

#: How many answers or options a row may have, and their characters: data sets have some ten of a line.
#: A prediction is compared with each of them.
MOST_TEXTS, MOST_CHARACTERS = 1_000, 100_000


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def text(row: Row, column: str) -> str:
    """Return a cell as text: empty for an empty cell, whole numbers without a decimal point.

    A column of whole numbers with an empty cell is read as one of floats, so that 2.0 means 2.

    Raises:
        BadRowError: it is neither empty nor a text nor a number.
    """
    return "" if is_missing(row.get(column)) else _text(row[column], column)


def question(row: Row, column: str = "question") -> str:
    """Return what a row asks.

    Raises:
        BadRowError: it is missing, or not a text.
    """
    value = row.get(column)
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        raise BadRowError(f"its {column} is missing or empty; every row needs one")
    if not isinstance(value, str):
        raise BadRowError(f"its {column} is {kind_of(value)}; write a text")
    return value


def response(row: Row) -> str:
    """Return a row's prediction without the white space around it."""
    return text(row, "prediction").strip()


def gold(row: Row) -> str:
    """Return a row's right answer as text.

    Raises:
        BadRowError: the cell is empty, as in test splits whose answers are hidden, or holds neither a
            text nor a number.
    """
    found = text(row, "answer")
    if not found.strip():
        raise BadRowError("its answer is empty; a split with hidden answers cannot be scored here")
    return found


def one_of(row: Row, column: str, known: Iterable[str]) -> str:
    """Return a cell that holds one of the known texts.

    Raises:
        BadRowError: it holds something else.
    """
    value = row.get(column)
    names = list(known)
    if value not in names:
        raise BadRowError(f"its {column} is {shown(value, SHOWN)}; it must be one of {', '.join(names)}")
    return str(value)


def listed(row: Row, column: str) -> list[Any]:
    """Return a cell that holds a list, or a list written as text; empty cells are empty lists.

    Raises:
        BadRowError: it is neither, or a text longer than `LONGEST_LIST`.
    """
    value = row.get(column)
    if is_missing(value) or value == "":
        return []
    if isinstance(value, str):
        value = parsed_list(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise BadRowError(
            f"its {column} is not a list: {shown(row.get(column), SHOWN)}; write a list of them, "
            '["yes"] where there is one only'
        )
    return list(value)


def accepted(row: Row, read: Callable[[Any], Any] = lambda entry: entry) -> list[str]:
    """Return the accepted answers of a row as texts.

    Args:
        row: with a list in ``answers``, see `listed`. People may have left some of them blank.
        read: from an entry of the list to the answer.

    Raises:
        BadRowError: there are none, as in test splits whose answers are hidden, or too many, or one is
            neither a text nor a number.
    """
    found = [_text(read(entry), "answers") for entry in listed(row, "answers")]
    if not any(each.strip() for each in found):
        raise BadRowError("it has no answers; a split with hidden answers cannot be scored here")
    return few(found, "answers")


def few(found: list[str], column: str) -> list[str]:
    """Return texts that a prediction is compared with.

    Raises:
        BadRowError: they are more than `MOST_TEXTS`, or longer than `MOST_CHARACTERS` together.
    """
    characters = sum(map(len, found))
    if len(found) > MOST_TEXTS or characters > MOST_CHARACTERS:
        raise BadRowError(
            f"its {column} are {len(found):,} texts of {characters:,} characters; at most "
            f"{MOST_TEXTS:,} of {MOST_CHARACTERS:,} together are compared"
        )
    return found


def texts(row: Row, column: str) -> list[str]:
    """Return the texts in a cell that holds a list, see `listed`.

    Raises:
        BadRowError: one is neither a text nor a number.
    """
    return [_text(value, column) for value in listed(row, column)]


def require_texts(row: Row, column: str) -> list[str]:
    """Return the texts in a cell that holds a list, see `texts`.

    Raises:
        BadRowError: there are none, or too many, see `few`.
    """
    found = texts(row, column)
    if not any(each.strip() for each in found):
        raise BadRowError(f"it has no {column}; give the data set's own column")
    return few(found, column)


def parsed_list(value: str) -> list[Any] | None:
    """Return the list that a text holds in JSON's or Python's notation, None if it holds none.

    Raises:
        BadRowError: it begins like a list and is longer than `LONGEST_LIST`.
    """
    written = value.strip()
    if not written.startswith("["):
        return None
    if len(written) > LONGEST_LIST:
        raise BadRowError(
            f"a cell has a list of {len(written):,} characters; at most {LONGEST_LIST:,} are read"
        )
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(written)
            repr(found)  # a number of more digits than Python writes can be read if it is hexadecimal
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue  # `[{[]}]`, for one, is Python, but not a value
        return found if isinstance(found, list) else None
    return None


def whole(row: Row, column: str) -> int:
    """Return a cell as a whole number; it may be written as text or with a decimal point.

    Raises:
        BadRowError: it is none.
    """
    value = row.get(column)
    try:
        number = number_of(text(row, column).strip())
        if number.is_integer():
            return int(value) if isinstance(value, str) and value.isdigit() else int(number)
    except (ValueError, OverflowError):  # BadRowError, too
        pass
    raise BadRowError(f"its {column} is {shown(value, SHOWN)}; it must be a whole number")


def _text(value: Any, column: str) -> str:
    if isinstance(value, str):
        return value
    usable = isinstance(value, Number) and not isinstance(value, bool)
    if not usable or (isinstance(value, float) and not math.isfinite(value)):
        raise BadRowError(f"its {column} holds {shown(value, SHOWN)}; write a text or a number")
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)
