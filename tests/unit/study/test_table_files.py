"""Reading tables: as text with line numbers, and refusing what is no table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.errors import UserError
from paretoken.study.table_files import read_table, read_text_table, require_unique, write_table

GOOD = "a,b\n1,x\n2,y\n"


def rows_of(path):
    return read_text_table(path).rows.to_numpy().tolist()


def test_values_are_text_and_the_index_is_the_line(write):
    table = read_text_table(write("a,b\n1,NA\n\n3,nan\n"))
    assert table.rows["b"].tolist() == ["NA", "nan"]
    assert table.rows.index.tolist() == [2, 4]


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        b" a , b\n 1 , x \n2,y  \n",
        (GOOD + "\n\n  \n").encode(),
        b'"a","b"\n"1","x"\n"2","y"\n',
        GOOD.rstrip().encode(),
    ],
    ids=["plain", "byte order mark", "CRLF", "blanks", "blank lines", "quotes", "no final newline"],
)
def test_ways_of_writing_the_same_table(write, content):
    table = read_text_table(write(content))
    assert table.rows.columns.tolist() == ["a", "b"]
    assert table.rows.to_numpy().tolist() == [["1", "x"], ["2", "y"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"a,b\n", "header but no rows"),
        (b"a,b\n\n,\n", "header but no rows"),
        (b"a,b,a\n1,2,3\n", "duplicate columns: a"),
        (b"a, a\n1,2\n", "duplicate columns: a"),
        (b"a,b\n1,2,3\n", "cannot be read as CSV.*line 2"),
        (b'a,b\n1,"x\n', "cannot be read as CSV"),
        (b"a,b\n1,caf\xe9\n", "cannot be read as CSV.*utf-8"),
    ],
)
def test_files_that_are_not_tables_are_refused(write, content, words):
    path = write(content)
    with pytest.raises(UserError, match=words) as refused:
        read_text_table(path)
    assert str(path) in str(refused.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_text_table(path)


def test_missing_columns_list_those_there(write):
    with pytest.raises(UserError, match="no column 'c'; its columns are: a, b"):
        read_table(write(GOOD), ["a", "c"])


def test_numbers_are_bounded(write):
    table = read_text_table(write("a\n0\n2\n"))
    assert table.numbers(table.rows, "a").tolist() == [0, 2]
    assert table.numbers(table.rows, "a", minimum=0).tolist() == [0, 2]
    with pytest.raises(UserError, match="line 2: a = '0' must be greater than 0"):
        table.numbers(table.rows, "a", above=0)
    with pytest.raises(UserError, match=r"line 2: a = '0' must be 3 or more; line 3: a = '2' must be"):
        table.numbers(table.rows, "a", minimum=3)


def test_a_typed_table_is_cleaned_as_the_text_is(write):
    assert read_table(write(" a ,b\n1, x\n"), ["a"]).columns.tolist() == ["a", "b"]


def test_duplicate_keys_are_refused():
    table = pd.DataFrame({"a": [1, 1, 2], "b": ["x", "x", "x"]})
    with pytest.raises(UserError, match=r"t\.csv: 2 rows share a key \(a = 1, b = x\)"):
        require_unique(table, ["a", "b"], "t.csv")
    require_unique(table.drop(index=1), ["a", "b"], "t.csv")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_being_written(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("records") / "t.csv"
    write_table(path, pd.DataFrame({"x": numbers}))
    np.testing.assert_array_max_ulp(
        read_table(path, ["x"])["x"].to_numpy(dtype=float), np.array(numbers), 1
    )


def test_a_missing_number_is_an_empty_cell(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame({"x": [1.5, np.nan], "y": ["a", "b"]}))
    assert (tmp_path / "t.csv").read_text() == "x,y\n1.5,a\n,b\n"
    assert read_table(tmp_path / "t.csv", ["x"])["x"].isna().tolist() == [False, True]
