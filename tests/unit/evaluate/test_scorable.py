"""What `questions` accepts, `score` accepts: the same rules before and after the model is asked."""

from __future__ import annotations

from typing import Any

import pytest

from paretoken.data.conversations import BadRowError
from paretoken.errors import UserError
from paretoken.evaluate.scorable import ScoreCheck
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS
from standins.benchmarks import TABLES

VALUES: list[Any] = [
    None, float("nan"), "", " ", "nan", True, False, 0, 1, -1, 7, 0.5, float("inf"), "0", "7", "A", "E",
    "yes", "x", [], ["x"], [["x"]], [None], [1, 2], {}, {"a": 1}, [{"answer": None}], "[]", "[", b"x",
]  # fmt: skip


def asked(name: str, rows: list[dict[str, Any]]) -> bool:
    """Whether all rows pass."""
    check = ScoreCheck(BENCHMARKS.load(name))
    try:
        for number, row in enumerate(rows):
            check.row(number, row)
        check.together()
    except (BadRowError, UserError):
        return False
    return True


def scored(name: str, rows: list[dict[str, Any]]) -> bool:
    """Whether answers to the rows can be scored."""
    try:
        score_predictions(BENCHMARKS.load(name), [{**row, "prediction": "x"} for row in rows])
    except UserError:
        return False
    return True


@pytest.mark.parametrize("name", TABLES)
def test_whatever_a_cell_holds_questions_and_score_agree(name: str) -> None:
    rows = TABLES[name][0].rows()
    columns = [column for column in rows[0] if column not in TABLES[name][0].images]
    assert asked(name, rows)
    assert scored(name, rows)
    refused = 0
    for column in columns:
        for value in (*VALUES, rows[1][column]):
            changed = [{**rows[0], column: value}, *rows[1:]]
            assert asked(name, changed) is scored(name, changed), (column, value)
            refused += not scored(name, changed)
    assert refused > 10  # the comparison means something


@pytest.mark.parametrize(
    "name", [name for name in TABLES if name not in ("ai2d", "scienceqa", "chartqa")]
)
def test_a_row_that_appears_twice_is_named_with_the_first(name: str) -> None:
    rows = TABLES[name][0].rows()
    check = ScoreCheck(BENCHMARKS.load(name))
    for number, row in enumerate(rows):
        check.row(number, row)
    with pytest.raises(BadRowError, match=r"appears twice, in row 1 too"):
        check.row(len(rows), rows[1])
