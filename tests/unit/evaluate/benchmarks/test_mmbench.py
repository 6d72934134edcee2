from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import permutations

from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.choices import infer_choice
from paretoken.evaluate.benchmarks.mmbench import whole_questions
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
def test_missing_options_do_not_count(absent: Any) -> None:
    assert MMBENCH.score(row(1, "B", "banana", A="red", B="banana", C=absent, D=absent)) == 1
    assert MMBENCH.score(row(1, "B", "answer is D", A="red", B="banana", C=absent, D=absent)) == 0


def test_rows_of_two_options_need_no_other_columns() -> None:
    rows = [{"index": 1, "answer": "B", "A": "red", "B": "banana", "prediction": "the banana"}]
    assert score_predictions(MMBENCH, rows)["score"] == 1


def test_a_question_is_right_only_in_all_its_rotations() -> None:
    two = {"C": "nan", "D": None}
    rows = [row(7, "A", "A", **two), row(8, "B", "B", **two), row("1000007", "B", "C", **two),
            row(1000008.0, "A", "A.", **two), row(9, "A", "what", **two),
            row(1000009, "B", "B", **two)]  # fmt: skip
    result = score_predictions(MMBENCH, rows)
    assert result["metric"] == "circular accuracy"
    assert result["score"] == pytest.approx(1 / 3)
    assert [r["score"] for r in result["rows"]] == [1, 1, 0, 1, 0, 1]
    assert (result["details"]["groups"], result["details"]["unread"]) == (3, 2)
    assert result["details"]["row_accuracy"] == pytest.approx(4 / 6)
    assert result["interval"] == pytest.approx([0.0615, 0.7923], abs=1e-4)  # Wilson, 1 of 3
    by_row = score_predictions(MMBENCH, rows, "rows")
    assert (by_row["score"], by_row["metric"]) == (pytest.approx(4 / 6), "accuracy")


def test_without_any_rotation_the_metric_is_another_one() -> None:
    result = score_predictions(MMBENCH, [row(7, "A", "A"), row(8, "B", "A")])
    assert (result["metric"], result["score"]) == ("accuracy (no rotations)", 0.5)


@pytest.mark.parametrize("lost", range(1, 7))
def test_a_lost_rotation_is_refused(lost: int) -> None:
    whole = [row(base + turn * 1_000_000, "A", "A") for base in (1, 2) for turn in range(4)]
    assert score_predictions(MMBENCH, whole)["metric"] == "circular accuracy"
    with pytest.raises(UserError, match=r"of 2 questions lacks? rotations.*--variant rows"):
        score_predictions(MMBENCH, whole[:lost] + whole[lost + 1 :])
    with pytest.raises(UserError, match="1 of 8 ids appears more than once"):
        score_predictions(MMBENCH, [*whole, whole[lost]])


def test_rows_without_a_right_option_are_refused() -> None:
    with pytest.raises(UserError, match=r"row 1 \(index 3\): its answer is empty"):
        score_predictions(MMBENCH, [row(3, None, "A")])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="must be one of A, B, C, D"):
        score_predictions(MMBENCH, [row(3, "E", "A")])
    with pytest.raises(UserError, match="index is 'x'; it must be a whole number"):
        score_predictions(MMBENCH, [row("x", "A", "A")])


def test_options_that_are_neither_text_nor_numbers_are_refused() -> None:
    for wrong in (False, ["red"], {"text": "red"}):
        with pytest.raises(UserError, match=r"row 1 \(index 3\): its C holds"):
            score_predictions(MMBENCH, [row(3, "A", "A") | {"C": wrong}])


@settings(max_examples=20, deadline=None)
@given(order=permutations([base + turn * 1_000_000 for base in (1, 2, 3) for turn in range(4)]))
def test_rows_are_cut_where_they_can_be_scored_together(order: list[int]) -> None:
    rows = [row(index, "A", "A") for index in order]

    def together(count: int) -> bool:
        try:
            score_predictions(MMBENCH, rows[:count])
        except UserError:
            return False
        return True

    for limit in range(1, len(rows) + 1):
        expected = max(count for count in range(1, limit + 1) if together(count))
        assert whole_questions(rows[:limit]) == expected


def test_the_prompt() -> None:
    asked = MMBENCH.prompt(
        {**row(1, "A", ""), "C": "nan", "D": "nan", "hint": "Look.", "question": "What?"}
    )
    assert asked == (
        "Look. What? There are several options:\nA. red\nB. dark red\n\n"
        "Answer with the option's letter from the given choices directly."
    )
