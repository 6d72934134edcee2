from __future__ import annotations

import pytest

from paretoken.registry import BENCHMARKS

SCIENCEQA = BENCHMARKS.load("scienceqa")


@pytest.mark.parametrize(
    ("prediction", "score", "letter_only", "llava"),
    [
        ("B", 1, 1, 1), ("b", 1, 1, 0), (" B\n", 1, 1, 1), ("B.", 1, 0, 0), ("B. text", 1, 0, 1),
        ("B.text", 1, 0, 0), ("b. text", 0, 0, 0), ("(B)", 0, 0, 0), ("B text", 0, 0, 0),
        ("The answer is B.", 0, 0, 1), ("The answer is B!", 0, 0, 1), ("The answer is B", 0, 0, 0),
        ("The answer is B. The answer is B.", 0, 0, 0), ("A. text", 0, 0, 0), ("E", 0, 0, 0),
        ("", 0, 0, 0), ("BB", 0, 0, 0),
    ],
)  # fmt: skip
def test_letters(prediction: str, score: float, letter_only: float, llava: float) -> None:
    row = {"choices": ["x", "y"], "answer": 1, "prediction": prediction}
    assert SCIENCEQA.score(row) == score
    assert SCIENCEQA.variant("letter_only").score(row) == letter_only
    assert SCIENCEQA.variant("llava").score(row) == llava


def test_the_prompt_has_a_context_only_with_a_hint() -> None:
    row = {"question": "What?", "choices": ["x", "y"], "hint": ""}
    end = "What?\nA. x\nB. y\nAnswer with the option's letter from the given choices directly."
    assert SCIENCEQA.prompt(row) == end
    assert SCIENCEQA.prompt({**row, "hint": "Look."}) == f"Context: Look.\n{end}"
