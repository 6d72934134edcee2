"""AI2D: multiple-choice questions about diagrams of textbooks."""

from __future__ import annotations

import re

from paretoken.evaluate.benchmarks.base import LONG_PROMPT_TOKENS, Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.choices import infer_choice, letter_of
from paretoken.evaluate.benchmarks.plain_text import same_text
from paretoken.evaluate.benchmarks.prompts import LETTER, letters, option_lines
from paretoken.evaluate.benchmarks.values import question, response, texts

_LETTER_FIRST = re.compile(r"\s*([A-Z])\.")


def score(row: Row) -> float:
    """Return 1 if the answer is the correct letter, or starts with it and a full stop, else 0."""
    said = response(row)
    first = _LETTER_FIRST.match(said)
    return float(same_text(first.group(1) if first else said, letter_of(row, "options")))


def score_inferred(row: Row) -> float:
    """Return 1 if the option inferred from the answer is correct, else 0."""
    right, options = letter_of(row, "options"), texts(row, "options")
    by_letter = dict(zip(letters(len(options)), options, strict=True))
    return float(infer_choice(response(row), by_letter) == right)


def prompt(row: Row) -> str:
    """Return the prompt of a row."""
    return f"{question(row)}\n{option_lines(texts(row, 'options'))}{LETTER}"


AI2D = Benchmark(
    name="ai2d",
    metric="accuracy",
    score=score,
    source="lmms-eval 0.7.3, task ai2d; https://arxiv.org/abs/1603.07396",
    columns=("options", "answer"),
    hub=HubData("lmms-lab/ai2d", "test", columns=("question",)),
    prompt=prompt,
    questions=3088,
    prompt_tokens=LONG_PROMPT_TOKENS,
    variants=(
        Variant(
            "vlmevalkit",
            "VLMEvalKit's reading of answers: letters in sentences, texts of options",
            {"score": score_inferred},
        ),
        Variant(
            "no_mask",
            "the pictures without boxes over the labels that the options name",
            {"hub": HubData("lmms-lab/ai2d-no-mask", "test", columns=("question",))},
        ),
    ),
)
