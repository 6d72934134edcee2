"""From the files of cells to one table: the grid decides what is in it."""

from __future__ import annotations

import pytest

from paretoken.analysis.aggregate import aggregate
from paretoken.errors import UserError
from paretoken.study.contract import ERROR_COLUMNS

HEAD = ",".join(ERROR_COLUMNS) + "\n"


@pytest.fixture
def files(write):
    """One file per cell, two suites each; the last cell was not measured."""
    rows = [
        ("mine,small,1,tokenpacker,1,0,a,0.6,,,", "mine,small,1,tokenpacker,1,0,b,0.8,,,"),
        ("mine,small,1,tokenpacker,4,0,a,0.5,0.01,here,odd", "mine,small,1,tokenpacker,4,0,b,0.7,,,"),
        ("mine,large,7,tokenpacker,1,0,a,,,,", "mine,large,7,tokenpacker,1,0,b,,,,"),
    ]
    return [write(HEAD + "\n".join(pair) + "\n", f"cell{i}.csv") for i, pair in enumerate(rows)]


def test_the_table_is_in_the_order_of_the_grid_suite_by_suite(files):
    table = aggregate(files, ["b", "a"])
    assert list(table.columns) == list(ERROR_COLUMNS)
    assert table["suite"].tolist() == ["b"] * 3 + ["a"] * 3
    assert table["error"].tolist()[:2] == [0.8, 0.7]
    assert table["error"].tolist()[3:5] == [0.6, 0.5]
    assert table["error"].isna().tolist() == [False, False, True] * 2, "missing is missing, never 0"
    assert table["flag"].fillna("").tolist() == ["", "", "", "", "odd", ""]


def test_a_suite_that_is_missing_is_named_with_its_file(files):
    with pytest.raises(UserError, match=r"cell0.csv has the suites a, b; expected once each: a, b, c"):
        aggregate(files, ["a", "b", "c"])


def test_a_suite_that_is_not_wanted_is_refused(files):
    with pytest.raises(UserError, match=r"expected once each: a$"):
        aggregate(files, ["a"])


def test_a_duplicate_cell_is_refused(files):
    with pytest.raises(UserError, match="rows share a key"):
        aggregate([*files, files[0]], ["a", "b"])


def test_a_table_with_only_missing_numbers(files):
    assert aggregate(files[2:], ["a", "b"])["error"].isna().tolist() == [True, True]
