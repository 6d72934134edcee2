"""One way from values to the cells of a table, and what each format makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from paretoken.io.text_tables import (
    aligned,
    counted,
    html_table,
    latex_table,
    markdown_table,
    text_cell,
    visual_tokens,
)

FRAME = pd.DataFrame(
    {
        "a|b": ["x_ ± 1", "", None],
        "whole": [123456, 2, 3],
        "number": [1.234567, np.nan, np.inf],
        "counted": pd.array([1, None, 3], dtype="Int64"),
    }
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (np.nan, "–"), (np.float64("nan"), "–"), (0.123456, "0.1235"), (123456, "123456"),
     (np.inf, "inf"), (-0.0, "-0"), (True, "True"), ("nan", "nan"), ("", "")],
)  # fmt: skip
def test_a_value_as_text(value: object, text: str) -> None:
    assert text_cell(value) == text


def test_digits() -> None:
    assert text_cell(0.123456, 2) == "0.12"
    assert markdown_table(FRAME[["number"]], 2).splitlines()[2] == "| 1.2 |"


def test_a_frame_in_markdown() -> None:
    assert markdown_table(FRAME, bold=("a|b",)).splitlines() == [
        r"| a\|b | whole | number | counted |",
        "| --- | --- | --- | --- |",
        r"| **x_ ± 1** | 123456 | 1.235 | 1 |".replace("x_", r"x\_"),
        "|  | 2 | – | – |",
        "| **–** | 3 | inf | 3 |",
    ]


def test_a_frame_in_latex() -> None:
    lines = latex_table(FRAME).splitlines()
    assert lines[0] == r"\begin{tabular}{llrr}"
    assert lines[2] == r"a\textbar{}b & whole & number & counted \\"
    assert lines[4] == r"x\_ $\pm$ 1 & 123456 & 1.235 & 1 \\"
    assert lines[5] == r" & 2 & -- & -- \\"


def test_a_frame_as_cells_of_html() -> None:
    table = html_table(FRAME, "caption", {"number": "Number", "absent": "Absent", "a|b": "Text"})
    assert (table.caption, table.header, table.numeric) == ("caption", ["Number", "Text"], [True, False])
    assert table.rows == [["1.235", "x_ ± 1"], ["–", "–"], ["inf", "–"]]


def test_columns_for_a_terminal() -> None:
    text = aligned(["name", "N"], [["a", "100"], ["longer", "1"]], [False, True])
    assert text.splitlines() == ["name      N", "------  ---", "a       100", "longer    1"]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        (counted(0, "row"), "0 rows"),
        (counted(1, "row"), "1 row"),
        (counted(2, "row"), "2 rows"),
        (counted(1.0, "token", form="g"), "1 token"),
        (counted(1.5, "token", form="g"), "1.5 tokens"),
        (counted(12345678, "row"), "12345678 rows"),
        (counted(12345678, "row", form=","), "12,345,678 rows"),
        (counted(np.int64(1), "query is", "queries are"), "1 query is"),
        (counted(3, "query is", "queries are"), "3 queries are"),
        (visual_tokens(1), "1 visual token"),
        (visual_tokens(0.9999, ".3g"), "1 visual token"),
        (visual_tokens(13.5), "13.5 visual tokens"),
    ],
)
def test_counts_with_their_nouns(phrase: str, expected: str) -> None:
    assert phrase == expected
