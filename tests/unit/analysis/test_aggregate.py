"""From the files of cells to one table: the grid decides what is in it."""

from __future__ import annotations

import pandas as pd
import pytest

from paretoken.analysis.aggregate import aggregate
from paretoken.config import Study
from paretoken.contract import ERROR_COLUMNS
from paretoken.errors import UserError

HEAD = ",".join(ERROR_COLUMNS) + "\n"


def study(**changes):
    record = {
        "name": "mine", "question": "?", "measured": "m.csv", "vision": "v", "llms": ["small", "large"],
        "compressors": [{"name": "tokenpacker", "tokens": [1, 4]}],
        "suites": [{"name": "a", "title": "A", "role": "reasoning"}],
    }  # fmt: skip
    return Study.model_validate(record | changes)


@pytest.fixture
def files(write):
    """One file per cell of the study; the last was not measured."""
    rows = [
        "mine,small,1,tokenpacker,1,0,a,0.6,,,",
        "mine,small,1,tokenpacker,4,0,a,0.5,0.01,here,odd",
        "mine,large,7,tokenpacker,1,0,a,0.4,,,",
        "mine,large,7,tokenpacker,4,0,a,,,,",
    ]
    return [write(HEAD + row + "\n", f"cell{i}.csv") for i, row in enumerate(rows)]


def test_the_table_is_in_the_grids_order(files):
    table = aggregate(study(), files[::-1])
    assert list(table.columns) == list(ERROR_COLUMNS)
    assert table[["llm", "visual_tokens"]].to_numpy().tolist() == [
        ["small", 1], ["small", 4], ["large", 1], ["large", 4]
    ]  # fmt: skip
    assert table["error"].tolist()[:3] == [0.6, 0.5, 0.4]
    assert pd.isna(table["error"].iloc[3]), "a missing number is missing, never 0"
    assert table["flag"].fillna("").tolist() == ["", "odd", "", ""]


def test_a_cell_that_is_missing_is_named(files):
    with pytest.raises(UserError, match=r"1 cells.*large.*4.*is missing"):
        aggregate(study(), files[:-1])


def test_a_suite_that_is_missing_is_named(files):
    both = [{"name": n, "title": n, "role": "ocr"} for n in ("a", "b")]
    with pytest.raises(UserError, match=r"4 cells.*'b'.*is missing"):
        aggregate(study(suites=both), files)


def test_a_cell_outside_the_grid_is_named(files):
    with pytest.raises(UserError, match=r"2 cells.*large.*is not in the grid"):
        aggregate(study(llms=["small"]), files)


def test_a_cell_that_stands_twice_is_refused(files):
    with pytest.raises(UserError, match="rows share a key"):
        aggregate(study(), [*files, files[0]])


def test_a_table_of_nothing_but_missing_numbers(files):
    table = aggregate(
        study(llms=["large"], compressors=[{"name": "tokenpacker", "tokens": [4]}]), files[3:]
    )
    assert table["error"].isna().tolist() == [True]
