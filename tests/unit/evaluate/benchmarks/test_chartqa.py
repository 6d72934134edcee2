from __future__ import annotations

import pytest

from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

CHARTQA = BENCHMARKS.load("chartqa")


@pytest.mark.parametrize(
    ("prediction", "answer", "score"),
    [
        ("95", "100", 1), ("105", "100", 1), ("105.01", "100", 0),
        ("94.9", "100", 0), ("2115", "2015", 1),
        ("50%", "50", 0), ("50%", "0.5", 1), ("50%", "50%", 1), ("1,000", "1000", 0), ("$5", "5", 0),
        ("0", "0", 1), ("0.0", "0", 0), ("5_0", "50", 1), ("1e3", "1000", 1), ("５０", "50", 1),
        ("nan", "50", 0), ("inf", "inf", 0), ("Red", "red", 1), ("red.", "red", 0), ("", "5", 0),
        ("-5", "5", 0), (50, "50", 1), ("50", 50, 1), (None, "50", 0),
        ("%", "5", 0), (" 50% ", "50%", 1),
    ],
)  # fmt: skip
def test_relaxed_match(prediction: object, answer: object, score: float) -> None:
    assert CHARTQA.score({"prediction": prediction, "answer": answer}) == score


def test_the_halves_are_distinguished() -> None:
    said = [("human_test", "1"), ("augmented_test", "2"), ("human_test", "1")]
    rows = [{"type": kind, "answer": "1", "prediction": prediction} for kind, prediction in said]
    result = score_predictions(CHARTQA, rows)
    assert result["score"] == pytest.approx(2 / 3)
    assert result["details"]["type"] == {"augmented_test": 0, "human_test": 1}
