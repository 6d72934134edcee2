from __future__ import annotations

from typing import Any

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

MATHVISTA = BENCHMARKS.load("mathvista")


def row(kind: str, answer: Any, prediction: Any, **changes: Any) -> dict[str, Any]:
    multiple = kind == "text"
    return {
        "question_type": "multi_choice" if multiple else "free_form",
        "answer_type": kind,
        "choices": ["rectangle", "circle", "oval"] if multiple else None,
        "precision": float("nan"),
        "answer": answer,
        "prediction": prediction,
        **changes,
    }


@pytest.mark.parametrize(
    ("prediction", "score"),
    [
        ("circle", 1), ("B", 1), ("(b) yes", 1), ("b", 0), ("a circl", 1), ("D", 0), ("", 0), ("  ", 0),
        ('The answer is "circle".', 1), ('The answer is "B"', 0), ('The answer is "".', 0), (None, 0),
    ],
)  # fmt: skip
def test_choices(prediction: Any, score: float) -> None:
    assert MATHVISTA.score(row("text", "circle", prediction)) == score


@pytest.mark.parametrize(
    ("kind", "answer", "prediction", "score"),
    [
        ("integer", "14", "14", 1), ("integer", "14", "14.9", 1), ("integer", "14", "14 cm", 0),
        ("integer", 14, 14.0, 1), ("integer", "14", "１４", 1), ("integer", "14", "inf", 0),
        ("integer", "14", 'The answer is "14".', 1), ("integer", "-3", "-3.9", 1),
        ("float", "3.1", "3.14", 1), ("float", "3.10", "3.1", 1), ("float", "14.0", "14", 1),
        ("float", "3.1", "nan", 0), ("float", "3.1", "", 0),
        ("list", "[2007, 2008]", "[2007, 2008]", 1), ("list", "[2007, 2008]", "[2007,2008]", 0),
    ],
)  # fmt: skip
def test_numbers_and_lists(kind: str, answer: Any, prediction: Any, score: float) -> None:
    assert MATHVISTA.score(row(kind, answer, prediction, precision=1.0)) == score


@pytest.mark.parametrize("said", ["2", "2.0", "2.00", 2, 2.0])
@pytest.mark.parametrize("gold", ["2", "2.0", "2.00", 2, 2.0, "02"])
@pytest.mark.parametrize(("kind", "precision"), [("integer", None), ("float", 1), ("float", 2.0)])
def test_a_number_is_right_however_it_is_stored(kind: str, precision: Any, gold: Any, said: Any) -> None:
    assert MATHVISTA.score(row(kind, gold, said, precision=precision)) == 1
    assert MATHVISTA.score(row(kind, gold, "3", precision=precision)) == 0


@pytest.mark.parametrize("right", ["A", "B"])
def test_choices_that_are_letters_mean_themselves(right: str) -> None:
    assert MATHVISTA.score(row("text", right, right, choices=["A", "B"])) == 1


@pytest.mark.parametrize("variant", [None, "lmms_eval"])
@pytest.mark.parametrize(
    ("kind", "answer", "precision", "message"),
    [
        *(
            ("float", "3.1", precision, "its precision is")
            for precision in (None, "", -400, 18, 1e300, 0.5)
        ),
        ("float", "nan", 1, "its answer is 'nan', and its answer_type is float; write a number"),
        ("float", "three", 1, "its answer_type is float; write a number"),
        ("integer", "three", None, "its answer_type is integer; write a number"),
        ("integer", "3.7", None, "its answer is '3.7'; it must be a whole number"),
        ("integer", "inf", None, "its answer_type is integer; write a number"),
    ],
)
def test_an_answer_that_nothing_can_equal_is_refused(
    kind: str, answer: str, precision: Any, message: str, variant: str | None
) -> None:
    with pytest.raises(UserError, match=message):
        score_predictions(MATHVISTA, [row(kind, answer, answer, precision=precision)], variant)
    assert MATHVISTA.score(row("float", "3.1", "3.14", precision="1.0")) == 1


def test_a_column_is_needed_only_where_it_decides() -> None:
    free = {"question_type": "free_form", "answer_type": "integer", "answer": "3", "prediction": "3"}
    assert score_predictions(MATHVISTA, [free])["score"] == 1
    for changes, column in (
        ({"answer_type": "float"}, "precision"),
        ({"question_type": "multi_choice"}, "choices"),
    ):
        for variant in (None, "lmms_eval"):
            with pytest.raises(UserError, match=f"row 1: it has no {column}"):
                score_predictions(MATHVISTA, [free | changes], variant)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choices": None}, "it has no choices"),
        ({"choices": []}, "it has no choices"),
        ({"choices": ["circle", ["oval"]]}, "its choices holds .'oval'."),
        ({"answer": "square"}, "its answer is 'square'; it must be one of rectangle, circle, oval"),
        ({"question_type": "open"}, "its question_type is 'open'; it must be one of multi_choice, free"),
        ({"answer_type": 0}, "its answer_type is 0; it must be one of text, integer, float, list"),
        (
            {"question_type": "free_form", "answer_type": "float", "precision": "x"},
            "its precision is 'x'; it must be a whole number",
        ),
    ],
)
@pytest.mark.parametrize("variant", [None, "lmms_eval"])
def test_rows_of_no_known_form_are_refused(
    changes: dict[str, Any], message: str, variant: str | None
) -> None:
    good = row("text", "circle", "B")
    assert score_predictions(MATHVISTA, [good], variant)["score"] == (variant is None)
    with pytest.raises(UserError, match=f"row 2: {message}"):
        score_predictions(MATHVISTA, [good, good | changes], variant)


def test_lmms_eval_rounds_no_floats_and_takes_the_shortest_choice() -> None:
    score = MATHVISTA.variant("lmms_eval").score
    assert score(row("float", "3.1", "3.1", precision=1.0)) == 0
    assert score(row("float", "3.1", "3.14", precision=1)) == 1
    assert score(row("text", "oval", "")) == 1
    assert score(row("text", "circle", "B")) == 0
    assert score(row("integer", "14", "14.9")) == 0
    for precision in (1.0, 1, None):  # a choice is not rounded
        assert score(row("text", "oval", "oval", answer_type="float", precision=precision)) == 1
    chosen = row("text", "oval", "oval", answer_type="float")
    del chosen["precision"]
    assert score(chosen) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"answer_type": "integer"}, "What?\nAnswer the question using a single integer number."),
        ({"answer_type": "float", "precision": 2.0, "unit": "cm"}, "What? (Unit: cm)\n"
         "Answer the question using a single floating-point number with two decimal places."),
        ({"answer_type": "list"}, "What?\nAnswer the question using a Python list."),
        ({"question_type": "multi_choice", "choices": ["x", "y"]}, "What?\nA. x\nB. y\n"
         "Answer with the option's letter from the given choices directly."),
    ],
)  # fmt: skip
def test_the_prompt(changes: dict[str, Any], expected: str) -> None:
    asked = {**row("integer", "1", ""), "question": "What?", "query": "Hint: ...", **changes}
    assert MATHVISTA.prompt(asked) == expected
    assert MATHVISTA.variant("query").prompt(asked) == "Hint: ..."
