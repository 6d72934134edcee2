"""Formatting values and tables as text, with one renderer for each format.

`text_rows` turns the cells of a data frame into text; the renderers below it escape these texts for
their format. pandas is not imported before a frame is given: `paretoken plan` and `status` need none.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paretoken.io.escape import latex, markdown

if TYPE_CHECKING:
    import pandas as pd

#: Significant digits of numbers.
DIGITS = 4
#: Placeholder for a missing value.
MISSING = "–"
#: Word for an infinite number, which JSON stores as null.
UNBOUNDED = "unbounded"


@dataclass(frozen=True)
class HtmlTable:
    """A table whose cells are text; the template of the report escapes them.

    Attributes:
        caption: title of the table.
        header: names of the columns.
        numeric: per column, whether it is aligned to the right.
        rows: the cells of each row.
    """

    caption: str
    header: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[str]]


def text_cell(value: object, digits: int = DIGITS) -> str:
    """Return one value as text: floats to ``digits`` significant digits, None and NaN as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def text_rows(frame: pd.DataFrame, digits: int = DIGITS) -> Iterator[list[str]]:
    """Yield the rows of a frame as text; values that pandas counts as missing become a dash."""
    known = frame.astype(object).where(frame.notna(), None)
    for row in known.itertuples(index=False):
        yield [text_cell(value, digits) for value in row]


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Return a table for a terminal, with columns as wide as their widest cell.

    Args:
        header: names of the columns.
        rows: cells of each row.
        right: per column, whether it is aligned to the right.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(_aligned_line(cells, widths, right) for cells in lines)


def _aligned_line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    placed = [
        cell.rjust(width) if flush else cell.ljust(width)
        for cell, width, flush in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(placed).rstrip()


def markdown_table(frame: pd.DataFrame, digits: int = DIGITS, bold: Collection[str] = ()) -> str:
    """Return a frame as a pipe table.

    Args:
        frame: the table; texts in it are escaped.
        digits: significant digits of numbers.
        bold: columns of text to show in bold.
    """
    names = [str(column) for column in frame.columns]
    lines = [[markdown(name) for name in names], ["---"] * len(names)]
    for row in text_rows(frame, digits):
        cells = zip(names, map(markdown, row), strict=True)
        lines.append([f"**{cell}**" if name in bold and cell else cell for name, cell in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_list(sentences: Sequence[str]) -> str:
    """Return sentences as a Markdown list; they are escaped."""
    return "\n".join(f"- {markdown(sentence)}" for sentence in sentences)


def latex_table(frame: pd.DataFrame) -> str:
    r"""Return a frame as a LaTeX table for ``booktabs``; only its first two columns are left-aligned."""
    lines = [
        rf"\begin{{tabular}}{{ll{'r' * (len(frame.columns) - 2)}}}",
        r"\toprule",
        _latex_line([str(name) for name in frame.columns]),
        r"\midrule",
        *map(_latex_line, text_rows(frame)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex_line(cells: Sequence[str]) -> str:
    escaped = (latex(cell).replace(" ± ", r" $\pm$ ").replace("–", "--") for cell in cells)
    return " & ".join(escaped) + r" \\"


def html_table(frame: pd.DataFrame, caption: str, names: Mapping[str, str] | None = None) -> HtmlTable:
    """Return a frame as the cells of an HTML table; empty texts become a dash, too.

    Args:
        frame: the table.
        caption: its title.
        names: columns to show, in this order, and their headings; None: all columns, under their names.
    """
    from pandas.api.types import is_numeric_dtype

    chosen = names or {str(name): str(name) for name in frame.columns}
    shown = frame[[name for name in chosen if name in frame.columns]]
    return HtmlTable(
        caption=caption,
        header=[chosen[str(name)] for name in shown.columns],
        numeric=[is_numeric_dtype(shown[name]) for name in shown.columns],
        rows=[[cell or MISSING for cell in row] for row in text_rows(shown)],
    )


def number_text(value: float | None, form: str) -> str:
    """Return a number in a format of Python's `format`; infinity and None become `UNBOUNDED`."""
    return UNBOUNDED if value is None or not math.isfinite(value) else format(value, form)


def range_text(low: float | None, high: float | None, form: str) -> str:
    """Return both ends of an interval, each formatted by `number_text`."""
    return f"{number_text(low, form)} to {number_text(high, form)}"


def clock(seconds: float) -> str:
    """Return a duration as d h mm, h:mm:ss or seconds."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 86_400:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 86_400} d {whole // 3600 % 24}:{whole // 60 % 60:02d}"


def counted(count: float, one: str, several: str | None = None, form: str = "") -> str:
    """Return a count and what is counted: "1 row", "2 rows".

    Args:
        count: how many there are.
        one: what is counted, after the number 1.
        several: the same after any other number; None: ``one`` with an "s" at its end.
        form: format of the number, for Python's `format`; ``","`` separates thousands.
    """
    shown = f"{count:{form}}"
    return f"{shown} {one if shown == '1' else several or f'{one}s'}"


def visual_tokens(count: float, form: str = "g") -> str:
    """Return a phrase such as "36 visual tokens", its number in a format of Python's `format`."""
    return counted(count, "visual token", form=form)


def short(count: float) -> str:
    """Return a count with three digits and a letter: 464M, 7.72B."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.3g}"


def size_label(params_b: float) -> str:
    """Return a model size, given in billions, as people write it: 7B, 0.5B, 60M, 600K."""
    for least, unit, letter in ((0.1, 1.0, "B"), (1e-3, 1e-3, "M"), (1e-6, 1e-6, "K")):
        if params_b >= least:
            return f"{params_b / unit:.3g}{letter}"
    return f"{params_b * 1e9:.3g}"
