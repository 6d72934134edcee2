"""ChartQA: questions about charts; numbers may be off by 5 %."""

from __future__ import annotations

from paretoken.evaluate.benchmarks.base import Benchmark, HubData, Row
from paretoken.evaluate.benchmarks.values import gold, question, response

TOLERANCE = 0.05
WORD = "\nAnswer the question with a single word."


def as_number(said: str) -> float | None:
    """Return the number in a text, a percentage divided by 100; None if it is not a number."""
    try:
        return float(said.rstrip("%")) / 100 if said.endswith("%") else float(said)
    except ValueError:
        return None


def score(row: Row) -> float:
    """Return 1 if the answer is within 5 % of the correct number, or is the correct text, else 0."""
    said, right = response(row), gold(row)
    number, target = as_number(said), as_number(right)
    if number is None or not target:  # there is no relative error to zero
        return float(said.lower() == right.lower())
    return float(abs(number - target) / abs(target) <= TOLERANCE)


def prompt(row: Row) -> str:
    """Return the prompt of a row."""
    return question(row) + WORD


CHARTQA = Benchmark(
    name="chartqa",
    metric="relaxed accuracy",
    score=score,
    source="lmms-eval 0.7.3, task chartqa; https://arxiv.org/abs/2203.10244",
    columns=("answer",),
    breakdown=("type",),
    hub=HubData("lmms-lab/ChartQA", "test", columns=("question", "type")),
    prompt=prompt,
    questions=2500,
)
