"""VizWiz: questions that blind people asked about their own photographs."""

from __future__ import annotations

from paretoken.evaluate.benchmarks.base import Benchmark, HubData, Row
from paretoken.evaluate.benchmarks.open_vqa import aggregate, score
from paretoken.evaluate.benchmarks.prompts import SHORT
from paretoken.evaluate.benchmarks.values import question

INSUFFICIENT = "\nWhen the provided information is insufficient, respond with 'Unanswerable'."


def prompt(row: Row) -> str:
    """Return the prompt of a row."""
    return question(row).capitalize() + INSUFFICIENT + SHORT


VIZWIZ = Benchmark(
    name="vizwiz",
    metric="VQA accuracy",
    score=score,
    source="lmms-eval 0.7.3, task vizwiz_vqa_val; https://arxiv.org/abs/1802.08218",
    columns=("answers",),
    keys=(("question_id",), ("id",), ("image",)),  # one question per photograph
    aggregate=aggregate,
    breakdown=("category",),
    hub=HubData("lmms-lab/VizWiz-VQA", "val", columns=("question", "category")),
    prompt=prompt,
    max_new_tokens=128,
    questions=4319,
)
