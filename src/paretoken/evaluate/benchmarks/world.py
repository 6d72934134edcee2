"""The questions of a generated world, scored by exact match; its kinds of questions are parts."""

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
