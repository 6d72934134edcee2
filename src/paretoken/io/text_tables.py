"""Values and tables as text: one way to write a value, and one renderer for each format.

Cells of a data frame become text in `text_rows`; the renderers below it escape these texts for their
format. Nothing here imports pandas before a frame is given: `paretoken plan` and `status` start without.
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
#: What stands for a missing value.
MISSING = "–"
#: What stands for an infinite number, which JSON writes as null.
UNBOUNDED = "unbounded"


@dataclass(frozen=True)
class HtmlTable:
    """A table whose cells are text; the template of the report escapes them.

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


def text_cell(value: object, digits: int = DIGITS) -> str:
    """Return one value as text: floats to ``digits`` significant digits, None and NaN as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def text_rows(frame: pd.DataFrame, digits: int = DIGITS) -> Iterator[list[str]]:
    """Yield the rows of a frame as text; whatever pandas counts as missing is a dash."""
    known = frame.astype(object).where(frame.notna(), None)
    for row in known.itertuples(index=False):
        yield [text_cell(value, digits) for value in row]


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Return a table for a terminal, with columns as wide as their widest cell.

    Args:
        header: names of the columns.
        rows: cells of each row.
        right: per column, whether it is flush right.
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
        frame: what to show; texts in it are escaped.
        digits: of numbers.
        bold: columns of texts in bold letters.
    """
    names = [str(column) for column in frame.columns]
    lines = [[markdown(name) for name in names], ["---"] * len(names)]
    for row in text_rows(frame, digits):
        cells = zip(names, map(markdown, row), strict=True)
        lines.append([f"**{cell}**" if name in bold and cell else cell for name, cell in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_list(sentences: Sequence[str]) -> str:
    """Return a list of sentences, which are escaped."""
    return "\n".join(f"- {markdown(sentence)}" for sentence in sentences)


def latex_table(frame: pd.DataFrame) -> str:
    r"""Return a frame as a LaTeX table, for ``\usepackage{booktabs}``; two columns are flush left."""
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
    """Return a frame as the cells of an HTML table; empty texts are a dash, too.

    Args:
        frame: what to show.
        caption: what it is.
        names: columns to show and what to call them, in this order; None: all as they are.
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
    """Return a number in a number format of Python's; one that is infinite, or None, in words."""
    return UNBOUNDED if value is None or not math.isfinite(value) else format(value, form)


def range_text(low: float | None, high: float | None, form: str) -> str:
    """Return both ends of an interval, each as `number_text` returns it."""
    return f"{number_text(low, form)} to {number_text(high, form)}"


def clock(seconds: float) -> str:
    """Return a duration as d h mm, h:mm:ss or seconds."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 86_400:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 86_400} d {whole // 3600 % 24}:{whole // 60 % 60:02d}"


def visual_tokens(count: float, form: str = "g") -> str:
    """Return a number of visual tokens in words, written in a number format of Python's."""
    shown = f"{count:{form}}"
    return f"{shown} visual token" + ("" if shown == "1" else "s")


def short(count: float) -> str:
    """Return a count with three digits and a letter: 464M, 7.72B."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.3g}"


def size_label(params_b: float) -> str:
    """Return a model size, billions, as people write it: 7B, 0.5B, 60M, 600K."""
    for least, unit, letter in ((0.1, 1.0, "B"), (1e-3, 1e-3, "M"), (1e-6, 1e-6, "K")):
        if params_b >= least:
            return f"{params_b / unit:.3g}{letter}"
    return f"{params_b * 1e9:.3g}"
