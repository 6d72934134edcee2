"""GQA: short answers about scenes."""

from __future__ import annotations

from paretoken.evaluate.benchmarks.base import Benchmark, HubData, Join, Row, Variant
from paretoken.evaluate.benchmarks.plain_text import same_text
from paretoken.evaluate.benchmarks.prompts import short_prompt
from paretoken.evaluate.benchmarks.values import gold, response


def score(row: Row) -> float:
    """Return 1 if the answer is correct, ignoring case and punctuation, else 0."""
    return float(same_text(response(row), gold(row)))


def score_llava(row: Row) -> float:
    """Return 1 if the lower-cased answer without final full stops is correct, else 0."""
    return float(response(row).rstrip(".").lower() == gold(row))


GQA = Benchmark(
    name="gqa",
    metric="accuracy",
    score=score,
    source="lmms-eval 0.7.3, task gqa; https://arxiv.org/abs/1902.09506",
    columns=("answer",),
    keys=(("id",), ("question_id",)),
    hub=HubData(
        "lmms-lab/GQA",
        "testdev",
        "testdev_balanced_instructions",
        images=(),
        columns=("question", "imageId"),
        join=Join("testdev_balanced_images", "testdev", column="image", id="id", key="imageId"),
    ),
    prompt=short_prompt,
    questions=12_578,
    variants=(
        Variant(
            "llava",
            "LLaVA's scripts with the official tool: only final full stops are removed",
            {"score": score_llava},
        ),
    ),
)
