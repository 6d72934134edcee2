from __future__ import annotations

from typing import Any

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.choices import infer_choice
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

MMBENCH = BENCHMARKS.load("mmbench")
OPTIONS = {"A": "red", "B": "dark red", "C": "a banana", "D": "two dogs"}


def row(index: Any, answer: str, prediction: Any, **changes: Any) -> dict[str, Any]:
    common = {"index": index, "answer": answer, "prediction": prediction, "category": "x"}
    return {**common, **OPTIONS, **changes}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"), ("(B)", "B"), ("b", None), ("B: dark red", "B"), ("The answer is B", "B"),
        ("A dog", "A"), ("A and B", None), ("B is the one that I would choose here", None),
        ("I see B in the picture", "B"), ("see B in the big picture", None),
        ("Z", "Z"), ("Cannot determine the answer", "Z"), ("I can't process this file. B", "Z"),
        ("answer is **c**, as everyone who has seen it knows", "C"), ("correct answer is d indeed", "D"),
        ("a banana", "C"), ("A BANANA", "A"), ("dark red", None), ("two dogs", "D"), ("", None),
        ("two dogs " + "that run " * 10, None), ("Failed to obtain answer via API B", None),
    ],
)  # fmt: skip
def test_which_option_an_answer_means(answer: str, letter: str | None) -> None:
    assert infer_choice(answer, OPTIONS) == letter


@pytest.mark.parametrize("absent", ["nan", None, float("nan"), ""])
def test_absent_options_are_no_options(absent: Any) -> None:
    assert MMBENCH.score(row(1, "B", "banana", A="red", B="banana", C=absent, D=absent)) == 1
    assert MMBENCH.score(row(1, "B", "answer is D", A="red", B="banana", C=absent, D=absent)) == 0


def test_rows_of_two_options_need_no_other_columns() -> None:
    rows = [{"index": 1, "answer": "B", "A": "red", "B": "banana", "prediction": "the banana"}]
    assert score_predictions(MMBENCH, rows)["score"] == 1


def test_a_question_is_right_only_in_all_its_rotations() -> None:
    rows = [row(7, "A", "A"), row(8, "B", "B"), row("1000007", "B", "C"), row(1000008.0, "C", "C."),
            row(9, "D", "what")]  # fmt: skip
    result = score_predictions(MMBENCH, rows)
    assert result["score"] == pytest.approx(1 / 3)
    assert [r["score"] for r in result["rows"]] == [1, 1, 0, 1, 0]
    assert (result["details"]["groups"], result["details"]["unread"]) == (3, 1)
    assert result["details"]["row_accuracy"] == 0.6
    assert result["interval"] == pytest.approx([0.0615, 0.7923], abs=1e-4)  # Wilson, 1 of 3
    assert score_predictions(MMBENCH, rows, "rows")["score"] == 0.6


def test_rows_without_a_right_option_are_refused() -> None:
    with pytest.raises(UserError, match=r"row 1 \(index 3\): its answer is empty"):
        score_predictions(MMBENCH, [row(3, None, "A")])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="must be one of A, B, C, D"):
        score_predictions(MMBENCH, [row(3, "E", "A")])
    with pytest.raises(UserError, match="index is 'x'; it must be a whole number"):
        score_predictions(MMBENCH, [row("x", "A", "A")])


def test_the_prompt() -> None:
    asked = MMBENCH.prompt(
        {**row(1, "A", ""), "C": "nan", "D": "nan", "hint": "Look.", "question": "What?"}
    )
    assert asked == (
        "Look. What? There are several options:\nA. red\nB. dark red\n\n"
        "Answer with the option's letter from the given choices directly."
    )
