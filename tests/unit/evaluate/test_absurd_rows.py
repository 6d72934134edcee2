"""Rows with thousands of right answers or options, or very long ones: bad rows, or scored in time."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from test_long_answers import by_table, score_in_time

from paretoken.errors import UserError
from paretoken.evaluate.benchmarks import docvqa, mathvista, mmmu_choice, mmmu_open
from paretoken.evaluate.benchmarks.prompts import letters
from paretoken.evaluate.benchmarks.values import MOST_CHARACTERS, MOST_TEXTS
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS


def old_anls(said: str, answers: list[str]) -> float:
    def tidy(text: str) -> str:
        return " ".join(text.lower().split())

    def share(answer: str) -> float:
        length = max(len(answer.upper()), len(said.upper()))
        return by_table(tidy(answer), tidy(said)) / length if length else 0.0

    similarity = 1 - min(map(share, answers))
    return 0.0 if similarity < docvqa.THRESHOLD else similarity


def old_nearest(letter: str, choices: list[str]) -> str:
    return min(choices, key=lambda choice: by_table(letter, choice))


def old_is_right(response: str, accepted: list[str]) -> bool:
    right = [form for answer in accepted for form in mmmu_open.forms(answer)]
    texts = [form for form in right if isinstance(form, str)]
    numbers = [form for form in right if isinstance(form, float)]
    for candidate in mmmu_open.candidates(response):
        for form in mmmu_open.forms(candidate):
            if isinstance(form, float) and form in numbers:
                return True
            if isinstance(form, str) and any(text in form for text in texts):
                return True
    return False


def old_last(text: str, signs: dict[str, str]) -> str | None:
    places = {letter: text.rfind(sign) for letter, sign in signs.items() if sign in text}
    return max(places, key=places.__getitem__) if places else None


def test_scores_are_those_of_the_slower_rules() -> None:
    rng = random.Random(5)
    pieces = [
        "red",
        "Red ",
        " ",
        "a",
        "b",
        "ab",
        "7",
        "7.0",
        "1,000",
        "nan",
        "is ",
        "ß",
        "(A)",
        " B ",
        "",
    ]

    def made(most: int) -> str:
        return "".join(rng.choices(pieces, k=rng.randint(0, most)))

    for _ in range(3000):
        said, answers = made(8), [made(5) for _ in range(rng.randint(1, 4))]
        if any(each.strip() for each in answers):
            found = docvqa.score({"prediction": said, "answers": answers})
            assert found == old_anls(said, answers), (said, answers)
        assert mmmu_open.is_right(said, answers) == old_is_right(said, answers), (said, answers)
        signs = dict(zip(letters(len(answers)), answers, strict=True))
        assert mmmu_choice._last(said, signs) == old_last(said, signs), (said, answers)
        letter = said.strip()
        if not re.search(r"\(\w\)", letter) and letter not in signs:
            assert mathvista._choice(letter, answers) == old_nearest(letter, answers), (said, answers)


MANY = [str(number) for number in range(MOST_TEXTS + 1)]
LONG = ["7" * MOST_CHARACTERS, "8"]
CHOICE = {"question_type": "multi_choice", "answer_type": "text", "answer": "7", "choices": None}
ABSURD: dict[str, dict[str, Any]] = {
    "docvqa": {"questionId": "1", "answers": None},
    "vqav2": {"question_id": "1", "answers": None},
    "mmmu": {"id": "validation_Art_1", "question_type": "open", "options": "[]", "answer": None},
    "mathvista": {"pid": "1", "precision": 1, **CHOICE},
    "ai2d": {"question_id": "1", "answer": "0", "options": None},
    "scienceqa": {"question_id": "1", "answer": "0", "choices": None},
}


@pytest.mark.parametrize("texts", [MANY, LONG, json.dumps(MANY)], ids=["many", "long", "written"])
@pytest.mark.parametrize("name", ABSURD)
def test_absurd_numbers_of_right_answers_are_bad_rows(name: str, texts: Any) -> None:
    row = {key: texts if value is None else value for key, value in ABSURD[name].items()}
    benchmark = BENCHMARKS.load(name)
    for variant in (None, *(variant.name for variant in benchmark.variants)):
        with pytest.raises(UserError, match="together are allowed"):
            score_predictions(benchmark, [{**row, "prediction": "7"}], variant)


@pytest.mark.parametrize("name", ["docvqa", "vqav2", "mmmu"])
def test_numbers_of_more_digits_than_python_writes_are_user_errors(name: str) -> None:
    cell = "[0x" + "f" * 5000 + "]"
    row = {key: cell if value is None else value for key, value in ABSURD[name].items()}
    if name == "mmmu":  # there, what is not a list is a text
        assert score_predictions(BENCHMARKS.load(name), [{**row, "prediction": "7"}])["score"] == 0
        return
    with pytest.raises(UserError, match=r"its answers is .*; it must be a list"):
        score_predictions(BENCHMARKS.load(name), [{**row, "prediction": "7"}])


#: Rows at the limits, each with a prediction that makes a scorer look at everything.
FULL = [str(number) for number in range(10_000, 10_000 + MOST_TEXTS)]
PARTS = ["b" + "a" * 9_000 + str(number) for number in range(10)]
AT_THE_LIMITS = [
    ("mmmu", "answer", FULL, " ".join(map(str, range(100_000)))),
    ("mmmu", "answer", PARTS, "\n".join("a" * 999 for _ in range(300))),
    ("mathvista", "choices", ["7", *PARTS], "a" * 100_000),
    ("mathvista", "choices", ["7", *FULL[1:]], "1" * 100_000),
    ("docvqa", "answers", PARTS, "a" * 15_000),
    ("docvqa", "answers", ["7" * MOST_CHARACTERS], "7" * 600_000),
    ("ai2d", "options", FULL, "1 " * 100_000),
    ("vqav2", "answers", FULL, "1 " * 100_000),
]


@pytest.mark.slow
def test_rows_at_the_limits_are_scored_in_time() -> None:
    for name, column, texts, said in AT_THE_LIMITS:
        score_in_time(name, [ABSURD[name] | {column: texts, "prediction": said}])


@pytest.mark.slow
def test_many_options_of_a_long_answer_are_looked_for_in_time() -> None:
    """`rfind` of a text that is there takes the product of both lengths."""
    text = "ab" + "a" * 40_000
    row = ABSURD["mmmu"] | {"question_type": "multiple-choice", "answer": "A", "options": [text, "x"]}
    score_in_time("mmmu", [row | {"prediction": f"x y z u v {text} {'a' * 3_000_000}"}])
