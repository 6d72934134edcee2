"""TextVQA, VizWiz, VQAv2 and what they share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.vqa_answers import evalai_answer, leave_one_out
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

VQAV2 = BENCHMARKS.load("vqav2")


@pytest.mark.parametrize(
    ("answer", "processed"),
    [
        ("Yes", "yes"), ("The Dog", "dog"), ("two", "2"), ("None", "0"), ("dont", "don't"), ("", ""),
        ("Mary's", "mary 's"), ("1,000", "1000"), ("t-shirt", "t shirt"), ("a - b", "b"), ("3.", "3"),
        ("3.5", "3.5"), ("somebody'd", "somebodyd"), ("it's", "it 's"), ("red?", "red"),
        ("a\tb\nc", "b c"),
        ("youd've", "you'd've"), ("well", "well"), ("x (y)", "x y"), ("x(y)", "x y"),
        ("." * 40, "." * 8),
    ],
)  # fmt: skip
def test_processing(answer: str, processed: str) -> None:
    assert evalai_answer(answer) == processed


@pytest.mark.parametrize(("equal", "accuracy"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)])
def test_each_person_is_left_out_once(equal: int, accuracy: float) -> None:
    answers = ["yes"] * equal + ["no"] * (10 - equal)
    assert leave_one_out("yes", answers) == pytest.approx(accuracy)
    for name in ("textvqa", "vizwiz"):
        row = {"answers": answers, "prediction": "Yes."}
        assert BENCHMARKS.load(name).score(row) == pytest.approx(accuracy)


def people(*answers: str) -> list[dict[str, Any]]:
    return [
        {"answer": answer, "answer_confidence": "yes", "answer_id": i}
        for i, answer in enumerate(answers)
    ]


@pytest.mark.parametrize(
    ("prediction", "answers", "score", "processed", "raw"),
    [
        ("Yes", ["yes"] * 10, 1, 1, 0), ("Yes", ["yes"] * 9 + ["no"], 1, 1, 1),
        ("mary's", ["mary's"] * 10, 0, 1, 1), ("mary 's", ["mary's"] * 10, 0, 0, 0),
        ("The dog", ["The dog"] * 10, 0, 1, 1), ("dog", ["The dog"] * 9 + ["cat"], 1, 1, 1),
        ("yes,no", ["yes,no"] * 9 + ["x"], 0, 1, 1), ("2", ["two"] * 10, 0, 1, 0),
        (" 2\n", ["two"] * 9 + ["x"], 1, 1, 1), ("", ["yes"] * 10, 0, 0, 0),
    ],
)  # fmt: skip
def test_vqav2(prediction: str, answers: list[str], score: float, processed: float, raw: float) -> None:
    row = {"answers": people(*answers), "prediction": prediction}
    assert VQAV2.score(row) == pytest.approx(score)
    assert VQAV2.variant("processed").score(row) == pytest.approx(processed)
    assert VQAV2.variant("raw").score(row) == pytest.approx(raw)


def test_equal_answers_without_ids_are_left_out_by_position() -> None:
    row = {"answers": [{"answer": "yes"}] * 3 + [{"answer": "no"}] * 7, "prediction": "yes"}
    assert VQAV2.score(row) == pytest.approx(0.9)
    assert VQAV2.score({**row, "answers": str(row["answers"])}) == pytest.approx(0.9)


@pytest.mark.parametrize("name", ["textvqa", "vizwiz", "vqav2"])
def test_answers_are_texts_or_records(name: str) -> None:
    """VizWiz's own files hold records; its copy on the hub holds texts."""
    benchmark = BENCHMARKS.load(name)
    for answers in (people(*["red"] * 10), ["red"] * 10, json.dumps(people(*["red"] * 10))):
        assert benchmark.score({"answers": answers, "prediction": "red"}) == 1


@pytest.mark.parametrize("answers", [None, [], "[]", ""])
@pytest.mark.parametrize("name", ["textvqa", "vizwiz", "vqav2"])
def test_hidden_answers_are_refused(name: str, answers: object) -> None:
    with pytest.raises(UserError, match="it has no answers; a split with hidden answers"):
        score_predictions(BENCHMARKS.load(name), [{"answers": answers, "prediction": "x"}])


@pytest.mark.parametrize("name", ["textvqa", "vizwiz", "vqav2"])
def test_other_than_ten_people_are_in_the_metric(name: str) -> None:
    benchmark = BENCHMARKS.load(name)
    ten, one = ({"answers": ["red"] * n, "prediction": "red"} for n in (10, 1))
    assert score_predictions(benchmark, [ten, ten])["metric"] == "VQA accuracy"
    result = score_predictions(benchmark, [ten, one])
    assert result["metric"] == "VQA accuracy (1 of 2 questions without exactly 10 answers)"
    assert result["score"] == 0.5


def test_prompts() -> None:
    short = "\nAnswer the question using a single word or phrase."
    row = {"question": "what Brand is IT?", "ocr_tokens": ["dell", "XPS"]}
    textvqa = BENCHMARKS.load("textvqa")
    assert textvqa.prompt(row) == "What brand is it?" + short
    with_words = "What brand is it?\nReference OCR token: dell, XPS" + short
    assert textvqa.variant("ocr").prompt(row) == with_words
    unanswerable = "When the provided information is insufficient, respond with 'Unanswerable'."
    assert BENCHMARKS.load("vizwiz").prompt(row) == f"What brand is it?\n{unanswerable}{short}"
    assert VQAV2.prompt(row) == row["question"] + short  # type: ignore[operator]
