"""One cell's rows, taken from a table of measurements."""

from __future__ import annotations

import pytest

from paretoken.errors import UserError
from paretoken.study.contract import ERROR_COLUMNS
from paretoken.study.grid import Cell
from paretoken.study.measured import measured_cell, write_cell

HEAD = "llm,params_b,compressor,visual_tokens,suite,error,flag\n"
ROWS = (
    "small,1,tokenpacker,1,a,0.6,\nsmall,1,tokenpacker,4,a,0.5,odd\n"
    "large,7,tokenpacker,1,a,0.4,\nlarge,7,tokenpacker,4,a,,\n"
)
SMALL_4, LARGE_4 = Cell("small", "tokenpacker", 4, 0), Cell("large", "tokenpacker", 4, 0)


def test_a_cell_has_its_row(write):
    (row,) = measured_cell(write(HEAD + ROWS), "mine", SMALL_4, 1.0, ["a"])
    assert (row["study"], row["llm"], row["visual_tokens"]) == ("mine", "small", "4")
    assert (row["error"], row["flag"], row["seed"]) == ("0.5", "odd", "0")
    assert float(row["params_b"]) == 1


def test_an_empty_error_stays_empty(write):
    (row,) = measured_cell(write(HEAD + ROWS), "mine", LARGE_4, 7.0, ["a"])
    assert row["error"] == "", "a missing number is missing, never 0"


def test_one_row_per_suite_in_their_order(write):
    table = HEAD + ROWS + "small,1,tokenpacker,4,b,0.9,\n"
    rows = measured_cell(write(table), "mine", SMALL_4, 1.0, ["b", "a"])
    assert [row["error"] for row in rows] == ["0.9", "0.5"]


def test_the_seed_chooses_its_row(write):
    table = "llm,params_b,compressor,visual_tokens,suite,error,seed\n"
    table += "small,1,tokenpacker,1,a,0.6,0\nsmall,1,tokenpacker,1,a,0.7,1\n"
    (row,) = measured_cell(write(table), "mine", Cell("small", "tokenpacker", 1, 1), 1.0, ["a"])
    assert (row["seed"], row["error"]) == ("1", "0.7")


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_byte_order_mark_line_ends_and_blanks(write, mark):
    content = mark + (HEAD + ROWS).replace("\n", "\r\n").replace("tokenpacker", " tokenpacker ")
    (row,) = measured_cell(write(content), "mine", SMALL_4, 1.0, ["a"])
    assert row["error"] == "0.5"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (HEAD + ROWS.replace("tokenpacker,4", "tokenpacker,9"), r"no row.*small.*visual_tokens = 4"),
        (HEAD + ROWS + "small,1,tokenpacker,4,a,0.5,\n", "2 rows.*must appear once"),
        (
            HEAD + ROWS.replace("small,1,tokenpacker,4", "small,2,tokenpacker,4"),
            "params_b = 2.*config.*1",
        ),
        (HEAD + ROWS.replace("0.5,odd", "half,odd"), "error = 'half'"),
        (HEAD + ROWS.replace("0.5,odd", "-0.5,odd"), "error = '-0.5'"),
        (HEAD + ROWS.replace("0.5,odd", "nan,odd"), "error = 'nan'"),
        (HEAD + ROWS.replace("0.5,odd", "inf,odd"), "error = 'inf'"),
        (HEAD + ROWS.replace("0.5,odd", "0_.5,odd"), "error = '0_.5'"),
        (HEAD + ROWS.replace("0.5,odd", "0.6_1,odd"), r"error = '0.6_1' must be a number of 0 or more"),
        (HEAD + ROWS.replace("0.5,odd", "٠.٥,odd"), "error = '٠.٥'"),
        (HEAD + ROWS.replace("small,1,tokenpacker,4", "small,1,tokenpacker,٤"), "no row with"),
        (
            HEAD.replace("flag", "score") + "small,1,tokenpacker,4,a,0.61,0.9",
            "score = 0.9 and error = 0.61.*1 - score",
        ),
        ((HEAD + ROWS).replace("suite", "task"), "suite"),
        ("", "llm"),
    ],
)
def test_a_cell_that_cannot_be_taken_is_refused(write, table, words):
    path = write(table)
    with pytest.raises(UserError, match=words) as refused:
        measured_cell(path, "mine", SMALL_4, 1.0, ["a"])
    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"absent\.csv"):
        measured_cell(tmp_path / "absent.csv", "mine", SMALL_4, 1.0, ["a"])


def test_a_written_cell_has_all_columns(write, tmp_path):
    write_cell(tmp_path / "errors.csv", measured_cell(write(HEAD + ROWS), "mine", SMALL_4, 1.0, ["a"]))
    head, row = (tmp_path / "errors.csv").read_text().splitlines()
    assert head.split(",") == list(ERROR_COLUMNS)
    assert row.split(",") == ["mine", "small", "1.0", "tokenpacker", "4", "0", "a", "0.5", "", "", "odd"]
