"""Reading cells of data sets: texts that may be numbers, lists that may be texts, empty cells.

Other values (booleans, objects, nested lists) are errors and never converted to texts.
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

#: Most characters of a value that a message shows.
SHOWN = 60

#: Most characters of a list that is written as a text: Python's parser takes 150 bytes for each.
LONGEST_LIST = 1 << 20

#: Most answers or options of a row, and their characters together. A prediction is compared with each;
#: usual rows have about ten short ones.
MOST_TEXTS, MOST_CHARACTERS = 1_000, 100_000


def is_missing(value: Any) -> bool:
    """Return whether a cell is empty: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def text(row: Row, column: str) -> str:
    """Return a cell as text, which is empty for an empty cell.

    Whole numbers are written without a decimal point, because readers convert a column of whole numbers
    with an empty cell to floats.

    Raises:
        BadRowError: the cell is neither empty nor a text nor a number.
    """
    return "" if is_missing(row.get(column)) else _text(row[column], column)


def question(row: Row, column: str = "question") -> str:
    """Return the question of a row.

    Raises:
        BadRowError: the question is missing, or not a text.
    """
    value = row.get(column)
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        raise BadRowError(f"its {column} is missing or empty; every row needs one")
    if not isinstance(value, str):
        raise BadRowError(f"its {column} is {kind_of(value)}; write a text")
    return value


def response(row: Row) -> str:
    """Return a row's prediction without surrounding white space."""
    return text(row, "prediction").strip()


def gold(row: Row) -> str:
    """Return a row's correct answer as text.

    Raises:
        BadRowError: the cell is empty, as in test splits whose answers are hidden, or holds neither a
            text nor a number.
    """
    found = text(row, "answer")
    if not found.strip():
        raise BadRowError("its answer is empty; a split with hidden answers cannot be scored here")
    return found


def one_of(row: Row, column: str, known: Iterable[str]) -> str:
    """Return a cell whose text must be one of the known ones.

    Raises:
        BadRowError: the cell has another value.
    """
    value = row.get(column)
    names = list(known)
    if value not in names:
        raise BadRowError(f"its {column} is {shown(value, SHOWN)}; it must be one of {', '.join(names)}")
    return str(value)


def listed(row: Row, column: str) -> list[Any]:
    """Return the list in a cell, which may be written as a text; an empty cell is an empty list.

    Raises:
        BadRowError: the cell does not hold a list, or a text longer than `LONGEST_LIST`.
    """
    value = row.get(column)
    if is_missing(value) or value == "":
        return []
    if isinstance(value, str):
        value = parsed_list(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise BadRowError(
            f"its {column} is {shown(row.get(column), SHOWN)}; it must be a list, such as "
            '["yes"] for a single entry'
        )
    return list(value)


def accepted(row: Row, read: Callable[[Any], Any] = lambda entry: entry) -> list[str]:
    """Return the accepted answers of a row as texts.

    Args:
        row: a row with a list in ``answers``, see `listed`; some entries may be blank.
        read: returns the answer of an entry of the list.

    Raises:
        BadRowError: there are no answers, as in test splits whose answers are hidden, or too many, or
            one is neither a text nor a number.
    """
    found = [_text(read(entry), "answers") for entry in listed(row, "answers")]
    if not any(each.strip() for each in found):
        raise BadRowError("it has no answers; a split with hidden answers cannot be scored here")
    return require_few(found, "answers")


def require_few(found: list[str], column: str) -> list[str]:
    """Return texts for comparison with a prediction, and require that they are not too many.

    Raises:
        BadRowError: there are more than `MOST_TEXTS`, or more than `MOST_CHARACTERS` together.
    """
    characters = sum(map(len, found))
    if len(found) > MOST_TEXTS or characters > MOST_CHARACTERS:
        raise BadRowError(
            f"its {column} are {len(found):,} texts of {characters:,} characters; at most "
            f"{MOST_TEXTS:,} texts of {MOST_CHARACTERS:,} together are allowed"
        )
    return found


def texts(row: Row, column: str) -> list[str]:
    """Return the texts of the list in a cell, see `listed`.

    Raises:
        BadRowError: an entry is neither a text nor a number.
    """
    return [_text(value, column) for value in listed(row, column)]


def require_texts(row: Row, column: str) -> list[str]:
    """Return the texts of the list in a cell, and require that there are some, see `texts`.

    Raises:
        BadRowError: there are none, or too many, see `require_few`.
    """
    found = texts(row, column)
    if not any(each.strip() for each in found):
        raise BadRowError(f"it has no {column}; add the data set's own column")
    return require_few(found, column)


def parsed_list(value: str) -> list[Any] | None:
    """Return the list that a text holds in JSON's or Python's notation; None if it does not.

    Raises:
        BadRowError: the text starts like a list and is longer than `LONGEST_LIST`.
    """
    written = value.strip()
    if not written.startswith("["):
        return None
    if len(written) > LONGEST_LIST:
        raise BadRowError(
            f"a cell has a list of {len(written):,} characters; at most {LONGEST_LIST:,} are allowed"
        )
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(written)
            repr(found)  # raises for a hexadecimal number with more digits than Python can print
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue  # `[{[]}]`, for example, is valid syntax, but not a value
        return found if isinstance(found, list) else None
    return None


def whole(row: Row, column: str) -> int:
    """Return the whole number in a cell, which may be a text or have a decimal point.

    Raises:
        BadRowError: the cell does not hold a whole number.
    """
    value = row.get(column)
    try:
        number = number_of(text(row, column).strip())
        if number.is_integer():
            return int(value) if isinstance(value, str) and value.isdigit() else int(number)
    except (ValueError, OverflowError):  # BadRowError is a ValueError
        pass
    raise BadRowError(f"its {column} is {shown(value, SHOWN)}; it must be a whole number")


def _text(value: Any, column: str) -> str:
    if isinstance(value, str):
        return value
    usable = isinstance(value, Number) and not isinstance(value, bool)
    if not usable or (isinstance(value, float) and not math.isfinite(value)):
        raise BadRowError(f"its {column} holds {shown(value, SHOWN)}; write a text or a number")
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)
