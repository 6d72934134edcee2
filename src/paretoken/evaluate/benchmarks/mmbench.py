"""MMBench (English, dev, version 1.0): multiple choice, right only if right in every rotation."""

from __future__ import annotations

import string
from collections.abc import Sequence

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Aggregate, Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.choices import infer_choice
from paretoken.evaluate.benchmarks.prompts import LETTER
from paretoken.evaluate.benchmarks.values import gold, response, text, whole
from paretoken.evaluate.intervals import interval, means, standard_error

#: A question's rotations have its index plus multiples of this.
ROTATION = 1_000_000
ABSENT = "nan"


def options_of(row: Row) -> dict[str, str]:
    """Return the options of a row by letter, without absent ones."""
    cells = {letter: text(row[letter]) for letter in string.ascii_uppercase if letter in row}
    return {letter: cell for letter, cell in cells.items() if cell not in ("", ABSENT)}


def score(row: Row) -> float:
    """Return 1 if the answer means the right option, else 0; what cannot be read is wrong."""
    whole(row, "index")  # or its rotations could not be found
    right = gold(row).strip()
    options = options_of(row)
    if right not in options:
        raise BadRowError(f"its answer is {row['answer']!r}; it must be one of {', '.join(options)}")
    return float(infer_choice(response(row), options) == right)


def aggregate(rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    """Return the share of questions that are right in all their rotations."""
    groups: dict[int, list[float]] = {}
    categories: dict[int, str] = {}
    for row, value in zip(rows, scores, strict=True):
        group = whole(row, "index") % ROTATION
        groups.setdefault(group, []).append(value)
        categories[group] = text(row.get("category"))
    right = [float(all(values)) for values in groups.values()]
    unread = sum(infer_choice(response(row), options_of(row)) is None for row in rows)
    details = {
        "groups": len(groups),
        "row_accuracy": sum(scores) / len(scores),
        "unread": unread,
        "categories": means(right, [categories[group] for group in groups]),
        "stderr": standard_error(right),
    }
    return Aggregate(sum(right) / len(right), interval(right), details)


def prompt(row: Row) -> str:
    """Return what the model is asked."""
    options = options_of(row)
    lines = "\n".join(f"{letter}. {options[letter]}" for letter in "ABCDE" if letter in options)
    hint = text(row["hint"])
    context = f"{hint} " if hint not in ("", ABSENT) else ""
    return f"{context}{text(row['question'])} There are several options:\n{lines}\n{LETTER}"


MMBENCH = Benchmark(
    name="mmbench",
    metric="circular accuracy",
    score=score,
    source="VLMEvalKit's rules without a judge; https://arxiv.org/abs/2307.06281",
    columns=("index", "answer", "A", "B"),
    id_column="index",
    aggregate=aggregate,
    hub=HubData("lmms-lab/MMBench", "dev", "en", columns=("question", "hint", "C", "D")),
    prompt=prompt,
    max_new_tokens=1024,
    variants=(
        Variant(
            "rows",
            "every row by itself, without rotations: what LLaVA's script asks",
            {"metric": "accuracy", "aggregate": None},
        ),
    ),
)
