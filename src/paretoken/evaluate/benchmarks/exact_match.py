"""Exact match after lower-casing and collapsing blanks."""

from __future__ import annotations

from collections.abc import Sequence

from paretoken.evaluate.benchmarks.base import Benchmark


def normalise(text: str) -> str:
    """Return ``text`` in lower case, with single blanks and without a final full stop."""
    return " ".join(text.lower().split()).removesuffix(".").rstrip()


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """Return 1 if the prediction equals an accepted answer, else 0."""
    return float(normalise(prediction) in {normalise(answer) for answer in answers})


EXACT_MATCH = Benchmark(name="exact_match", metric="accuracy", score=exact_match, source="this project")
