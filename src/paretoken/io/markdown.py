"""Tables and lists in Markdown; what they are given is plain text, and stays that."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from paretoken.io.escape import markdown


def table(frame: pd.DataFrame, digits: int = 4, bold: Collection[str] = ()) -> str:
    """Return a pipe table; numbers to ``digits`` significant digits, missing values as a dash.

    Args:
        frame: what to show; texts in it are escaped.
        digits: of numbers.
        bold: columns in bold letters.
    """
    names = [str(column) for column in frame.columns]
    header = [markdown(name) for name in names]
    rows = [
        [_cell(value, digits, name in bold) for name, value in zip(names, row, strict=True)]
        for row in frame.itertuples(index=False)
    ]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(sentences: Sequence[str]) -> str:
    """Return a list of sentences, which are escaped."""
    return "\n".join(f"- {markdown(sentence)}" for sentence in sentences)


def _cell(value: object, digits: int, bold: bool) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    text = markdown(str(value))
    return f"**{text}**" if bold and text else text
