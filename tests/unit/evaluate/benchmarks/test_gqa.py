from __future__ import annotations

import pytest

from paretoken.registry import BENCHMARKS

GQA = BENCHMARKS.load("gqa")


@pytest.mark.parametrize(
    ("prediction", "answer", "score", "llava"),
    [
        ("Yes.", "yes", 1, 1), (" yes ", "yes", 1, 1), ("yes,", "yes", 1, 0),
        ("t-shirt", "tshirt", 1, 0),
        ("**water**", "water", 1, 0), ("the dog", "dog", 0, 0), ("dogs", "dog", 0, 0),
        ("2", "two", 0, 0), ("", "yes", 0, 0), (None, "yes", 0, 0), (float("nan"), "yes", 0, 0),
        ("dark  red", "dark red", 0, 0), (3, "3", 1, 1), ("3", 3, 1, 1), ("Ÿes", "ÿes", 1, 1),
    ],
)  # fmt: skip
def test_exact_match_without_case_and_punctuation(
    prediction: object, answer: object, score: float, llava: float
) -> None:
    row = {"prediction": prediction, "answer": answer}
    assert GQA.score(row) == score
    assert GQA.variant("llava").score(row) == llava
