"""Exact match after lower-casing and collapsing blanks."""

from __future__ import annotations

from collections.abc import Sequence

from paretoken.evaluate.benchmarks.base import Benchmark, Row
from paretoken.evaluate.questions import answers_of


def normalise(text: str) -> str:
    """Return ``text`` in lower case, with single blanks and without a final full stop."""
    return " ".join(text.lower().split()).removesuffix(".").rstrip()


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """Return 1 if the prediction equals an accepted answer, else 0."""
    return float(normalise(prediction) in {normalise(answer) for answer in answers})


def score_row(row: Row) -> float:
    """Return 1 if a row's prediction equals an accepted answer, else 0."""
    return exact_match(row["prediction"], answers_of(row.get("answer")))


EXACT_MATCH = Benchmark(
    name="exact_match",
    metric="accuracy",
    score=score_row,
    source="this project",
    columns=("question_id", "answer"),
    keys=(("question_id",),),
)
