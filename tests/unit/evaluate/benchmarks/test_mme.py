from __future__ import annotations

from typing import Any

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.mme import COGNITION, PERCEPTION, read_answer
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

MME = BENCHMARKS.load("mme")
SUM = "(perception + cognition) / 2800"


def pair(image: str, category: str, first: str, second: str) -> list[dict[str, Any]]:
    """Two questions on one image, to be answered Yes and No."""
    common = {"question_id": image, "category": category}
    return [
        {**common, "answer": "Yes", "prediction": first},
        {**common, "answer": "No", "prediction": second},
    ]


@pytest.mark.parametrize(
    ("prediction", "read"),
    [
        ("Yes.", "yes"), ("eyes", "yes"), ("y", "yes"), (" N ", "no"), ("x", "other"), ("", "other"),
        ("know", "no"), ("snow", "no"), ("not at all", "no"), ("nope", "no"), ("noyes", "no"),
        ("The answer is yes", "other"), ("Y.E.S.", "yes"), ("YES", "yes"), ("a no", "no"),
    ],
)  # fmt: skip
def test_how_answers_are_read(prediction: str, read: str) -> None:
    assert read_answer(prediction) == read


@pytest.mark.parametrize(("one", "same"), [(1, 1.0), ("1", "1.0"), ("a.jpg", "a.jpg "), ("7", 7)])
def test_an_image_is_found_however_its_id_is_written(one: Any, same: Any) -> None:
    first, second = pair(one, "count", "Yes", "No")
    result = score_predictions(MME, [first, second | {"question_id": same}])
    assert result["details"]["subtasks"]["count"]["score"] == 200


def test_two_images_by_hand() -> None:
    rows = [
        *pair("a", "count", "Yes", "No"),
        *pair("b", "count", "Yes", "Yes"),
        *pair("c", "code_reasoning", "No", "Yes"),
    ]
    result = score_predictions(MME, rows)
    details = result["details"]
    # count: 3 of 4 questions, 1 of 2 images; code reasoning: nothing.
    assert details["subtasks"]["count"]["score"] == 75 + 50
    assert (details["perception"], details["cognition"], details["total"]) == (125, 0, 125)
    assert result["score"] == pytest.approx(125 / 2800)
    assert [row["score"] for row in result["rows"]] == [1, 1, 1, 0, 0, 0]
    assert len(details["missing_subtasks"]) == 12
    low, high = result["interval"]
    assert low <= result["score"] <= high
    assert details["stderr"] > 0


def test_images_are_found_by_id_in_rows_of_any_order() -> None:
    a, b = pair("a", "OCR", "Yes", "No"), pair("b", "OCR", "No", "No")
    assert score_predictions(MME, [a[0], b[0], a[1], b[1]])["details"]["perception"] == 75 + 50
    # The official tool pairs neighbours: both pairs are then half right.
    crossed = score_predictions(MME, [a[0], b[0], a[1], b[1]], "official")
    assert crossed["details"]["perception"] == 75 + 50
    crossed = score_predictions(MME, [a[0], b[0], b[1], a[1]], "official")
    assert crossed["details"]["subtasks"]["OCR"]["both_right"] == 0.5


def test_an_image_with_one_question_cannot_have_both_right_and_the_metric_says_so() -> None:
    rows = whole()
    del rows[1]
    result = score_predictions(MME, rows)
    assert result["details"]["perception"] == 2000 - 100
    assert result["details"]["unpaired_images"] == 1
    assert result["metric"] == f"{SUM} (1 image without exactly two questions)"


def whole() -> list[dict[str, Any]]:
    """One image of each subtask, all answers right."""
    return [row for name in (*PERCEPTION, *COGNITION) for row in pair(f"{name}/1", name, "Yes", "No")]


def test_the_metric_is_what_it_promises_with_every_subtask_and_says_what_is_missing() -> None:
    rows = whole()
    full, perception = score_predictions(MME, rows), score_predictions(MME, rows, "perception")
    assert (full["metric"], full["score"]) == (SUM, 1)
    assert (perception["metric"], perception["score"]) == ("perception / 2000", 1)
    for name in (*PERCEPTION, *COGNITION):
        part = [row for row in rows if row["category"] != name]
        result = score_predictions(MME, part)
        assert result["metric"] == f"{SUM} (subtasks missing, counted as 0: {name})"
        assert result["score"] == pytest.approx(2600 / 2800)
        kept = score_predictions(MME, part, "perception")["metric"]
        assert (kept == "perception / 2000") is (name in COGNITION)


def test_neighbours_of_two_images_are_named_by_the_official_tool() -> None:
    rows = whole()
    rows += pair("OCR/2", "OCR", "Yes", "No")
    ocr = [i for i, row in enumerate(rows) if row["category"] == "OCR"]
    rows[ocr[1]], rows[ocr[3]] = rows[ocr[3]], rows[ocr[1]]
    assert score_predictions(MME, rows)["metric"] == SUM
    assert score_predictions(MME, rows, "official")["metric"] == f"{SUM} (2 pairs of rows of two images)"


def test_variants() -> None:
    rows = [*pair("a", "scene", "Y", "N."), *pair("b", "code_reasoning", "Yes", "No")]
    assert score_predictions(MME, rows)["score"] == pytest.approx(400 / 2800)
    perception = score_predictions(MME, rows, "perception")
    assert perception["score"] == pytest.approx(200 / 2000)
    assert perception["variant"] == "perception"
    official = score_predictions(MME, rows, "official")  # a single letter means nothing there
    assert [row["score"] for row in official["rows"]] == [0, 0, 1, 1]


def test_a_variant_that_counts_no_row_is_refused() -> None:
    with pytest.raises(UserError, match="no row belongs to one of the subtasks existence"):
        score_predictions(MME, pair("b", "code_reasoning", "Yes", "No"), "perception")


def test_what_cannot_be_scored_is_refused() -> None:
    row = pair("a", "scene", "Yes", "No")[0]
    with pytest.raises(
        UserError, match=r"row 1 \(question_id 'a', category 'x'.*category is 'x'.*existence"
    ):
        score_predictions(MME, [{**row, "category": "x"}])
    with pytest.raises(UserError, match="must be Yes or No"):
        score_predictions(MME, [{**row, "answer": "maybe"}])


def test_the_prompt() -> None:
    row = {"question": "Is it red? Please answer yes or no."}
    expected = "Is it red?\nAnswer the question using a single word or phrase."
    assert MME.prompt(row) == expected
