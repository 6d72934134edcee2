"""Cells that are neither texts nor numbers are never scored, whatever the benchmark."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from paretoken.data.conversations import BadRowError
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.values import accepted, gold, listed, parsed_list, question, texts
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS
from standins.benchmarks import TABLES

NONSENSE: list[Any] = [
    True, False, float("inf"), b"red", {"value": "red"}, {}, [["red"]], [[]], [None], [True],
    [{"value": "red"}], [{"answer": ["red"]}], [float("nan")], '[["red"]]', "[null]", "[true]",
]  # fmt: skip
#: Columns whose texts may look like lists and mean themselves.
PLAIN = ("answer", "A", "B", "C", "D", "category", "type", "subject", "answer_type", "image_source")
#: What is read besides the columns that a benchmark must have.
MORE = {"mmbench": ("C", "D", "category"), "mathvista": ("choices",), "pope": ("image_source",)}


def cells() -> list[tuple[str, str]]:
    """Every benchmark with every column that its score or its breakdown reads."""
    names = [(name, BENCHMARKS.load(name)) for name in TABLES]
    return [
        (name, column)
        for name, benchmark in names
        for column in dict.fromkeys((*benchmark.columns, *benchmark.breakdown, *MORE.get(name, ())))
    ]


@pytest.mark.parametrize(("name", "column"), cells())
def test_invalid_values_are_refused_with_their_row_and_column(name: str, column: str) -> None:
    benchmark = BENCHMARKS.load(name)
    rows = [{**row, "prediction": "x"} for row in TABLES[name][0].rows()]
    assert score_predictions(benchmark, rows)["n"] == len(rows)
    for value in NONSENSE:
        if isinstance(value, str) and column in (*PLAIN, "id", "question_id"):
            continue
        with pytest.raises(UserError, match=rf"row 1\b.*(its|no) {column}"):
            score_predictions(benchmark, [{**rows[0], column: value}, *rows[1:]])


@pytest.mark.parametrize(
    ("value", "read"),
    [("red", "red"), (3, "3"), (2.5, "2.5"), (np.int64(3), "3"), (np.float64(2.5), "2.5"),
     (2.0, "2"), (np.float64(-3.0), "-3"), (1e20, "1" + "0" * 20), ("2.0", "2.0"),
     (Decimal("0.5"), "0.5"), ("[1, 2]", "[1, 2]"), ("True", "True"), (10**400, "1" + "0" * 400)],
)  # fmt: skip
def test_texts_and_numbers_are_read(value: Any, read: str) -> None:
    assert gold({"answer": value}) == read
    assert texts({"options": [value, "x"]}, "options") == [read, "x"]
    assert accepted({"answers": [value, ""]}) == [read, ""]  # one person may have said nothing


@pytest.mark.parametrize("value", [None, float("nan"), "", [], [""], [" \n", ""], "[]"])
def test_an_empty_cell_is_not_an_answer(value: Any) -> None:
    with pytest.raises(BadRowError, match=r"no answers; a split with hidden answers"):
        accepted({"answers": value})
    if not isinstance(value, list) and value != "[]":
        with pytest.raises(BadRowError, match="its answer is empty; a split with hidden answers"):
            gold({"answer": value})


@pytest.mark.parametrize(
    ("value", "message"),
    [(None, "is missing or empty"), (float("nan"), "is missing or empty"), ("", "is missing or empty"),
     (" ", "is missing or empty"), (3, "is a number; write a text"), (True, "is true or false"),
     (["what"], "is a list")],
)  # fmt: skip
def test_a_question_is_a_text(value: Any, message: str) -> None:
    with pytest.raises(BadRowError, match=f"its query {message}"):
        question({"query": value}, "query")
    with pytest.raises(BadRowError, match="its question is missing"):
        question({})


def test_a_cell_that_is_not_a_list_is_refused_with_what_to_write() -> None:
    with pytest.raises(BadRowError, match=r"its answers is 'yes'; it must be a list"):
        listed({"answers": "yes"}, "answers")


@pytest.mark.parametrize(
    "cell",
    ["[{[]}]", "[" * 200_000, "[" + "-" * 200_000 + "1]", "[1" + "+1" * 200_000 + "]", "[\0]",
     "[{}: {}]", "[" + "9" * 5000 + "]", "[1e999999", "[b'x' 'y']"],
)  # fmt: skip
def test_a_text_that_no_parser_takes_is_a_bad_row(cell: str) -> None:
    with pytest.raises(BadRowError, match=r"its answers is .*; it must be a list"):
        listed({"answers": cell}, "answers")


def test_a_list_that_would_take_gigabytes_is_refused_for_its_length() -> None:
    cell = "[" + "'x'," * 300_000 + "]"
    with pytest.raises(
        BadRowError, match="a list of 1,200,002 characters; at most 1,048,576 are allowed"
    ):
        listed({"answers": cell}, "answers")
    assert parsed_list('["a\\/b", 1]') == ["a/b", 1]
    assert parsed_list("['a', 'b']") == ["a", "b"]
