"""The questions of a generated world, by exact match; suites average its kinds of questions."""

from __future__ import annotations

from dataclasses import replace

from paretoken.evaluate.benchmarks.exact_match import EXACT_MATCH

WORLD = replace(
    EXACT_MATCH,
    name="world",
    columns=("question_id", "answer", "part"),
    parts="part",
    max_new_tokens=2,
)
