from __future__ import annotations

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.edit_distance import edit_distance
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

DOCVQA = BENCHMARKS.load("docvqa")


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("a", "a", 0), ("flaw", "lawn", 2), ("ab", "ba", 2)],
)
def test_edit_distance(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == edit_distance(second, first) == distance


@pytest.mark.parametrize(
    ("prediction", "answers", "score"),
    [
        ("Paris", ["paris"], 1), ("pariz", ["paris", "x"], 0.8), ("ab", ["ax"], 0.5),
        ("abx", ["ayz"], 0),
        ("a  b", ["a b"], 1), ("", ["", "a"], 1), ("", ["a"], 0), ("x", ["a", "x"], 1),
        ("  abc  ", ["abd"], 1 - 1 / 7), ("straße", ["strasse"], 1 - 2 / 7), (3, ["3"], 1),
        ("a", "['a', 'b']", 1), (None, ["ab"], 0),
    ],
)  # fmt: skip
def test_similarity(prediction: object, answers: object, score: float) -> None:
    assert DOCVQA.score({"prediction": prediction, "answers": answers}) == pytest.approx(score)
    binary = DOCVQA.variant("binarised").score({"prediction": prediction, "answers": answers})
    assert binary == float(score >= 0.5)


def test_binarised_counts_no_white_space_around_an_answer() -> None:
    row = {"prediction": " xy\n", "answers": ["ab"]}
    assert DOCVQA.score(row) == 0.5
    assert DOCVQA.variant("binarised").score(row) == 0


def test_hidden_answers_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"row 1 \(questionId 5\): it has no answers; a split with hidden"
    ):
        score_predictions(DOCVQA, [{"questionId": 5, "answers": None, "prediction": "x"}])
