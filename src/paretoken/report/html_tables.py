"""Tables as text cells: what the report's template lays out, and what a reader of it can sort by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

#: Significant digits of numbers.
DIGITS = 4
MISSING = "–"


@dataclass(frozen=True)
class HtmlTable:
    """A table whose cells are text; the template escapes them.

    Attributes:
        caption: what it shows.
        header: names of the columns.
        numeric: per column, whether it is flush right.
        rows: cells.
    """

    caption: str
    header: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[str]]


def html_table(frame: pd.DataFrame, caption: str, names: Mapping[str, str] | None = None) -> HtmlTable:
    """Return a frame as a table; numbers to four significant digits, missing values as a dash.

    Args:
        frame: what to show.
        caption: what it is.
        names: columns to show and what to call them, in this order; None: all as they are.
    """
    chosen = names or {str(name): str(name) for name in frame.columns}
    shown = frame[[name for name in chosen if name in frame.columns]]
    return HtmlTable(
        caption=caption,
        header=[chosen[str(name)] for name in shown.columns],
        numeric=[pd.api.types.is_numeric_dtype(shown[name]) for name in shown.columns],
        rows=[[cell(value) for value in row] for row in shown.itertuples(index=False)],
    )


def cell(value: object) -> str:
    """Return one value as text."""
    if value is None or (isinstance(value, float) and pd.isna(value)) or value is pd.NA:
        return MISSING
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    return str(value) or MISSING
