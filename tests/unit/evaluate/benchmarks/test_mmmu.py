from __future__ import annotations

from typing import Any

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.mmmu_choice import read_choice
from paretoken.evaluate.benchmarks.mmmu_open import is_right
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

MMMU = BENCHMARKS.load("mmmu")
OPTIONS = ["$6,000", "$5,000", "an apple", "BANANA"]


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("B", "B"), ("B.", "B"), ("(B)", "B"), ("'B'", "B"), ("b", None), ("A. $6,000", None),
        ("BANANA is", None), ("A or B", "B"), ("(A) not B", "A"), ("(B) or (A)", "A"), ("", None),
        ("I think it must be an apple", "C"), ("it is an apple", None),
        ("first an apple and then a banana here", "D"), ("A\nB", None), ("answer A", "A"),
    ],
)  # fmt: skip
def test_which_choice_is_read(response: str, letter: str | None) -> None:
    assert read_choice(response, OPTIONS) == letter


@pytest.mark.parametrize(
    ("response", "accepted", "right"),
    [
        ("14", ["14"], True), ("14.001", ["14"], True), ("The answer is 14.", ["14"], True),
        ("1,000 dollars", ["1000"], True), ("so it is 1.5e3 m", ["1500"], True), ("x = 3", ["3"], True),
        ("x = 3\nyes", ["3"], True), ("12", ["2"], False), ("it is a dog", ["dog"], True),
        ("hotdogs", ["dog"], True), ("abc", ["b"], False), ("a b c", ["b"], True), ("", ["dog"], False),
        ("3.4", ["24/7", "3.4"], True), ("it could be red, so blue", ["red"], False),
        ("the result is: 5.\nIt IS Final 7", ["5"], True), ("5", ["five"], False),
    ],
)  # fmt: skip
def test_open_answers(response: str, accepted: list[str], right: bool) -> None:
    assert is_right(response, accepted) is right


def choice(prediction: str, subject: str = "Art_Theory", **changes: Any) -> dict[str, Any]:
    return {"id": f"validation_{subject}_3", "question_type": "multiple-choice", "answer": "B",
            "options": str(OPTIONS), "prediction": prediction, **changes}  # fmt: skip


def numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "id": row["id"].replace("_3", f"_{i}")} for i, row in enumerate(rows)]


def test_unread_choices_are_wrong_and_the_gain_of_guessing_is_reported() -> None:
    rows = [
        choice("B"),
        choice("hm"),
        choice("A", "Math"),
        choice("2.00", "Math", question_type="open", answer="['two', '2']"),
    ]
    result = score_predictions(MMMU, numbered(rows))
    assert [row["score"] for row in result["rows"]] == [1, 0, 0, 1]
    assert result["score"] == 0.5
    details = result["details"]
    assert details["unread"] == 1
    assert details["score_with_guesses"] == pytest.approx((2 + 1 / 4) / 4)
    assert details["subjects"] == {"Art_Theory": 0.5, "Math": 0.5}
    assert details["domains"] == {"Art and Design": 0.5, "Science": 0.5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question_type": 0}, "its question_type is 0; it must be one of multiple-choice, open"),
        ({"answer": "?"}, "its answer is '[?]'; it must be one of A, B, C, D"),  # a hidden one
        ({"answer": "E"}, "its answer is 'E'; it must be one of A, B, C, D"),
        ({"options": None}, "it has no options"),
        ({"options": "[]"}, "it has no options"),
        ({"options": [["x", "y"]]}, r"its options holds \['x', 'y'\]"),
        ({"question_type": "open", "answer": "['two', ['2']]"}, r"its answer holds \['2'\]"),
        ({"question_type": "open", "answer": {"text": "2"}}, "its answer holds {'text': '2'}"),
    ],
)
def test_rows_of_no_known_form_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"row 2 \(id .*\): {message}"):
        score_predictions(MMMU, numbered([choice("B"), choice("B", **changes)]))


def test_an_open_question_may_have_several_answers_and_no_options() -> None:
    for answer in ("['two', '2']", ["two", 2], 2):
        asked = choice("2", question_type="open", answer=answer, options=None)
        assert score_predictions(MMMU, [asked])["score"] == 1


def test_the_prompt_and_the_images_it_names() -> None:
    row = {"question": "In <image 2>, <image 1> and <image 2>?", **choice("")}
    row["options"] = ["<image 3>", "x"]
    end = "\nA. {}\nB. x\n\nAnswer with the option's letter from the given choices directly."
    assert MMMU.prompt(row) == row["question"] + end.format("<image 3>")
    assert MMMU.shown(row) == ["image_1", "image_2", "image_3"]
    mixed = MMMU.variant("interleaved")
    assert mixed.prompt(row) == "In <image>, <image> and <image 2>?" + end.format("<image>")
    assert mixed.shown(row) == ["image_2", "image_1", "image_3"]
    row["question_type"] = "open"
    assert MMMU.prompt(row).endswith("?\n\nAnswer the question using a single word or phrase.")
