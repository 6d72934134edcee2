from __future__ import annotations

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

AI2D = BENCHMARKS.load("ai2d")
OPTIONS = ["root", "leaf", "stem"]


@pytest.mark.parametrize(
    ("prediction", "score", "generous"),
    [
        ("B", 1, 1), ("b", 1, 0), ("(B)", 1, 1), ("<B>", 1, 0), ("B)", 1, 1), ("B. leaf", 1, 1),
        ("  B. leaf", 1, 1), ("B: leaf", 0, 1), ("(B) leaf", 0, 1), ("The answer is B", 0, 1),
        ("b. leaf", 0, 1), ("leaf", 0, 1), ('"B"', 1, 0), ("A. root", 0, 0), ("", 0, 0), ("C", 0, 0),
    ],
)  # fmt: skip
def test_letters(prediction: str, score: float, generous: float) -> None:
    row = {"options": OPTIONS, "answer": "1", "prediction": prediction}
    assert AI2D.score(row) == score
    assert AI2D.variant("vlmevalkit").score(row) == generous


@pytest.mark.parametrize("answer", ["1", 1, 1.0, "1.0"])
@pytest.mark.parametrize("options", [OPTIONS, str(OPTIONS), '["root", "leaf", "stem"]', [1, 2.5]])
def test_how_the_row_may_be_written(answer: object, options: object) -> None:
    assert AI2D.score({"options": options, "answer": answer, "prediction": "B"}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "3"}, {"answer": "B"}, {"answer": None}, {"answer": True}, {"options": "x"},
        {"options": '["root", null]'}, {"options": ["root", ["leaf"]]}, {"options": ["root", False]},
    ],
)  # fmt: skip
def test_bad_rows_are_refused(change: dict[str, object]) -> None:
    row = {"options": OPTIONS, "answer": "1", "prediction": "B"}
    with pytest.raises(UserError, match=r"^row 2 \(_id 7\): its (answer|options) (is|holds)"):
        score_predictions(AI2D, [{**row, "_id": 6}, {**row, "_id": 7, **change}])


def test_the_prompt() -> None:
    assert AI2D.prompt({"question": "What?", "options": OPTIONS}) == (
        "What?\nA. root\nB. leaf\nC. stem\n"
        "Answer with the option's letter from the given choices directly."
    )
