"""Reading tables with clear errors, and writing them atomically; `contract` defines their columns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from paretoken.errors import UserError
from paretoken.io.csv_files import read_csv_text
from paretoken.io.escape import csv_cell, csv_value, shown
from paretoken.io.files import replacing
from paretoken.io.numerals import number_of

#: The largest number of invalid lines that a message lists.
LISTED = 5
#: Common separators other than commas.
SEPARATORS = (";", "\t", "|")
#: Columns that usually have whole numbers.
COUNTS = ("visual_tokens", "text_tokens", "visual_tokens_larger", "visual_tokens_smaller")


@dataclass(frozen=True)
class Table:
    """A CSV file as text, with line numbers as its index, so that messages can name them."""

    path: Path
    rows: pd.DataFrame
    sha256: str

    def column(self, name: str) -> str:
        """Return ``name`` if the table has that column (`UserError` with its columns otherwise)."""
        if name not in self.rows.columns:
            have = ", ".join(self.rows.columns)
            other = next((mark for mark in SEPARATORS if mark in have), None)
            if len(self.rows.columns) == 1 and other:
                raise UserError(
                    f"{self.path} has one column, {shown(have)}: its values seem to be separated by "
                    f"{other!r}; write it with commas (and decimal points)"
                )
            raise UserError(
                f"{self.path} has no column {name!r}; its columns are: {have}; name another one with "
                "the matching --...-column option"
            )
        return name

    def numbers(
        self,
        rows: pd.DataFrame,
        name: str,
        *,
        minimum: float = -np.inf,
        above: float = -np.inf,
    ) -> pd.Series[float]:
        """Return a column of ``rows`` as finite numbers >= minimum and > above.

        Raises:
            UserError: the column is missing or a value is invalid; the message has lines and values.
        """
        text = rows[self.column(name)]
        values = text.map(number_of).astype(float)
        rules = {
            "is not a finite number": ~np.isfinite(values),
            f"must be {minimum:g} or more": values < minimum,
            f"must be greater than {above:g}": values <= above,
        }
        lines = values.index.to_numpy()
        wrong = {int(line): rule for rule, at in rules.items() for line in lines[np.asarray(at)]}
        if wrong:
            first = sorted(wrong)[:LISTED]
            listed = "; ".join(
                f"line {line}: {name} = {shown(text[line])} {wrong[line]}" for line in first
            )
            more = f"; and {len(wrong) - LISTED} more" if len(wrong) > LISTED else ""
            raise UserError(
                f"{self.path}, {listed}{more}. Correct them, or take the rows out; a cell that was not "
                "measured has an empty error"
            )
        return values


def read_text_table(path: Path, *, may_be_empty: bool = False) -> Table:
    """Read a CSV file without interpreting any value; blanks around values are dropped.

    Raises:
        UserError: the file is missing, unreadable, empty or not CSV, or has a duplicate column.
    """
    content = read_csv_text(path)
    try:
        rows = pd.read_csv(
            io.StringIO(content.text),
            dtype=str,
            header=None,
            keep_default_na=False,
            skipinitialspace=True,
            skip_blank_lines=False,
        )
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{path} is empty; it needs a header line and rows") from error
    except (pd.errors.ParserError, ValueError) as error:
        raise UserError(f"{path} cannot be read as CSV (commas, UTF-8): {str(error).strip()}") from error
    header = [str(name).strip() for name in rows.iloc[0]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UserError(f"{path} has duplicate columns: {', '.join(twice)}; each must appear once")
    rows = rows.iloc[1:].apply(_values)
    rows.columns, rows.index = pd.Index(header), pd.RangeIndex(2, len(rows) + 2)
    rows = rows[(rows != "").any(axis=1)]
    if rows.empty and not may_be_empty:
        raise UserError(f"{path} has a header but no rows; it needs at least one")
    return Table(path, rows, content.sha256)


def _values(column: pd.Series[str]) -> pd.Series[str]:
    """Return cells without surrounding blanks, and without the apostrophe that `csv_cell` adds."""
    stripped = column.str.strip()
    marked = stripped.str.startswith("'")
    return stripped.where(~marked, stripped[marked].map(csv_value)) if marked.any() else stripped


def read_table(path: Path, columns: Sequence[str], *, may_be_empty: bool = False) -> pd.DataFrame:
    """Read a table of this project, typed by pandas; empty cells become NaN.

    Raises:
        UserError: the file cannot be read or lacks one of ``columns``.
    """
    table = read_text_table(path, may_be_empty=may_be_empty)
    for name in columns:
        table.column(name)
    return pd.read_csv(io.StringIO(table.rows.to_csv(index=False)))


def flags(table: pd.DataFrame) -> pd.Series[str]:
    """Return flags as text, empty where there is none (pandas reads an empty column as numbers)."""
    return table["flag"].astype(object).fillna("")


def require_unique(table: pd.DataFrame, key: Sequence[str], origin: str) -> None:
    """Raise `UserError` if two rows share a key."""
    twice = table[table.duplicated(list(key), keep=False)]
    if len(twice):
        first = ", ".join(f"{name} = {twice.iloc[0][name]}" for name in key)
        raise UserError(f"{origin}: {len(twice)} rows share a key ({first}); each must appear once")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table atomically, with token counts as whole numbers and texts escaped by `csv_cell`."""
    whole = [name for name in COUNTS if name in table and (table[name].dropna() % 1 == 0).all()]
    with replacing(path) as temporary:
        typed = table.astype(dict.fromkeys(whole, "Int64")).apply(_cells)
        typed.to_csv(temporary, index=False, lineterminator="\n")


def _cells(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column as it is written: texts are escaped, numbers unchanged."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    cells = [csv_cell(value) if isinstance(value, str) else value for value in column]
    return pd.Series(cells, index=column.index, dtype=object)
