"""TextVQA: questions whose answers are written in the image."""

from __future__ import annotations

from paretoken.evaluate.benchmarks.base import Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.open_vqa import aggregate, score
from paretoken.evaluate.benchmarks.prompts import SHORT
from paretoken.evaluate.benchmarks.values import question, texts


def prompt(row: Row) -> str:
    """Return the prompt of a row."""
    return question(row).capitalize() + SHORT


def prompt_with_words(row: Row) -> str:
    """Return the prompt of a row, with the words that OCR found in the image."""
    words = ", ".join(texts(row, "ocr_tokens"))
    return f"{question(row).capitalize()}\nReference OCR token: {words}{SHORT}"


TEXTVQA = Benchmark(
    name="textvqa",
    metric="VQA accuracy",
    score=score,
    source="lmms-eval 0.7.3, task textvqa_val; https://arxiv.org/abs/1904.08920",
    columns=("answers",),
    aggregate=aggregate,
    hub=HubData("lmms-lab/textvqa", "validation", columns=("question", "ocr_tokens")),
    prompt=prompt,
    max_new_tokens=128,
    questions=5000,
    variants=(
        Variant(
            "ocr",
            "words found by OCR are part of the prompt, as in LLaVA-1.5 and Table 1: easier",
            {"prompt": prompt_with_words},
        ),
    ),
)
