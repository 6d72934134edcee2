"""ScienceQA: multiple-choice questions of school science that have an image."""

from __future__ import annotations

import re
from dataclasses import replace

from paretoken.evaluate.benchmarks.base import LONG_PROMPT_TOKENS, Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.choices import letter_of
from paretoken.evaluate.benchmarks.prompts import LETTER, letters, option_lines
from paretoken.evaluate.benchmarks.values import question, response, text, texts

#: LLaVA's script allows any character after the letter: the full stop is not escaped.
_ANSWER_IS = re.compile(r"The answer is ([A-Z]).")
LLAVA_LETTERS = letters(5)


def score(row: Row) -> float:
    """Return 1 if the answer is the correct letter, or starts with it and a full stop, else 0."""
    said, right = response(row), letter_of(row, "choices").lower()
    letter = said[0] if said[:1].isupper() and said[1:2] == "." else said
    return float(letter.lower() == right)


def score_letter_only(row: Row) -> float:
    """Return 1 if the answer is the correct letter and nothing else, else 0."""
    return float(response(row).lower() == letter_of(row, "choices").lower())


def score_llava(row: Row) -> float:
    """Return 1 if LLaVA's script finds the correct letter in the answer, else 0."""
    said = response(row)
    if said in LLAVA_LETTERS:
        found = said
    elif said[:1] in LLAVA_LETTERS and said[1:3] == ". ":
        found = said[0]
    else:
        named = _ANSWER_IS.findall(said)
        found = named[0] if len(named) == 1 else ""
    return float(found == letter_of(row, "choices"))


def prompt(row: Row) -> str:
    """Return the prompt of a row."""
    hint = text(row, "hint")
    context = f"Context: {hint}\n" if hint else ""
    return f"{context}{question(row)}\n{option_lines(texts(row, 'choices'))}{LETTER}"


_IMAGES = HubData("lmms-lab/ScienceQA", "test", "ScienceQA-IMG", columns=("question", "hint"))

SCIENCEQA = Benchmark(
    name="scienceqa",
    metric="accuracy",
    score=score,
    source="lmms-eval 0.7.3, task scienceqa_img; https://arxiv.org/abs/2209.09513",
    columns=("choices", "answer"),
    breakdown=("subject",),
    hub=_IMAGES,
    prompt=prompt,
    questions=2017,
    prompt_tokens=LONG_PROMPT_TOKENS,
    variants=(
        Variant(
            "letter_only",
            "lmms-eval up to 0.3.4, as in the paper's time: 'B. text' is wrong",
            {"score": score_letter_only},
        ),
        Variant(
            "llava",
            "LLaVA's script: 'B', 'B. text' or one 'The answer is B.'; case counts",
            {"score": score_llava},
        ),
        Variant(
            "full",
            "all 4241 questions, with and without an image",
            {"hub": replace(_IMAGES, config="ScienceQA-FULL", text_only=True), "questions": 4241},
        ),
    ),
)
