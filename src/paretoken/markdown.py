"""Tables and lists in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def table(frame: pd.DataFrame, digits: int = 4) -> str:
    """Return a pipe table; numbers to ``digits`` significant digits, missing values as a dash."""
    header = [str(column) for column in frame.columns]
    rows = [[_cell(value, digits) for value in row] for row in frame.itertuples(index=False)]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(sentences: Sequence[str]) -> str:
    """Return a list of sentences."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _cell(value: object, digits: int) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
