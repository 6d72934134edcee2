"""Reading CSV tables as text, within limits; every reader of tables uses it.

It uses `csv` of the standard library: it runs once per cell of a study, and importing pandas would take
longer than the work.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.bounded import (
    LARGEST_CSV,
    LARGEST_HEADER,
    read_bounded,
    require_cells,
    require_columns,
    require_plain,
)
from paretoken.io.escape import csv_value

Row = dict[str, str]


@dataclass(frozen=True)
class CsvText:
    """The content of a table whose size is within the limits.

    Attributes:
        text: the content without a byte order mark; line ends are as in the file.
        sha256: SHA-256 of the file's bytes, in hexadecimal.
    """

    text: str
    sha256: str


def read_csv_text(path: Path) -> CsvText:
    """Return the content of a table without parsing its rows.

    Raises:
        UserError: it is missing, not a regular file, compressed or not UTF-8; or it has too many bytes,
            columns or cells.
    """
    content = read_bounded(path, LARGEST_CSV)
    require_plain(path, content)
    try:
        text = content.decode("utf-8-sig")
        columns = len(_header(path, text))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error
    require_columns(path, columns)
    # A line break within quotes counts as a row, too: an upper bound is enough.
    lines = text.count("\n") + text.count("\r") - text.count("\r\n")
    require_cells(path, lines, columns, len(content))
    return CsvText(text, hashlib.sha256(content).hexdigest())


def csv_rows(path: Path) -> tuple[list[str], Iterator[Row]]:
    """Return the names of a table's columns, and an iterator over its rows.

    Blanks around names and values are stripped, as is the apostrophe that `csv_cell` adds. Fields that a
    row lacks at its end are empty, and empty lines are skipped. A malformed row raises only when the
    iterator reaches it.

    Raises:
        UserError: the table cannot be read, see `read_csv_text`, or a row has more fields than the
            header.
    """
    reader = csv.reader(_lines(read_csv_text(path).text), strict=True, skipinitialspace=True)
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise _unreadable(path, error) from error
    return names, _rows(path, names, reader)


def _rows(path: Path, names: list[str], reader: Iterator[list[str]]) -> Iterator[Row]:
    try:
        for number, fields in enumerate(filter(None, reader), start=2):
            if len(fields) > len(names):
                raise UserError(
                    f"{path}, row {number}: {len(fields)} fields, more than the {len(names)} names of "
                    "the header; put values that contain commas into quotes"
                )
            values = [value.strip() for value in fields]
            values += [""] * (len(names) - len(fields))
            yield dict(zip(names, _unmarked(values), strict=True))
    except csv.Error as error:
        raise _unreadable(path, error) from error


def _unmarked(values: list[str]) -> list[str]:
    """Return values without the apostrophes that `csv_cell` adds."""
    return [csv_value(value) if value.startswith("'") else value for value in values]


def _header(path: Path, text: str) -> list[str]:
    """Return the fields of the first row; only the start of the text is parsed.

    Names in quotes may contain line breaks, so the first row can have several lines.
    """
    start = _lines(text[: LARGEST_HEADER + 1])
    fields = next(csv.reader(start), [])
    if start.tell() > LARGEST_HEADER:
        raise UserError(
            f"{path}: the first row has more than {LARGEST_HEADER:,} characters; it must hold the names "
            "of the columns"
        )
    return fields


def _lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} cannot be read as CSV (commas, UTF-8): {error}")
