"""MMBench (English, dev, version 1.0): multiple choice, to be answered correctly in every rotation."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import (
    LONG_PROMPT_TOKENS,
    Aggregate,
    Benchmark,
    HubData,
    Row,
    Variant,
)
from paretoken.evaluate.benchmarks.choices import infer_choice
from paretoken.evaluate.benchmarks.prompts import LETTER
from paretoken.evaluate.benchmarks.values import gold, question, response, text, whole
from paretoken.evaluate.score_intervals import interval, means, standard_error
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted

#: The rotations of a question have its index plus multiples of this.
ROTATION = 1_000_000
ABSENT = "nan"


def options_of(row: Row) -> dict[str, str]:
    """Return the options of a row by letter, without missing ones."""
    cells = {letter: text(row, letter) for letter in string.ascii_uppercase if letter in row}
    return {letter: cell for letter, cell in cells.items() if cell not in ("", ABSENT)}


def score(row: Row) -> float:
    """Return 1 if the answer means the correct option, else 0; unparsed answers are wrong."""
    whole(row, "index")  # raises if it is invalid; it is needed to find rotations
    text(row, "category")
    right = gold(row).strip()
    options = options_of(row)
    if right not in options:
        raise BadRowError(
            f"its answer is {shown(row['answer'])}; it must be one of {', '.join(options)}"
        )
    return float(infer_choice(response(row), options) == right)


def aggregate(rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    """Return the share of questions that are answered correctly in all their rotations.

    If there are no rotations at all, this is the accuracy, and the metric is named so.

    Raises:
        UserError: some rotations are missing.
    """
    groups = _groups(rows)
    rotated = _has_rotations(groups, rows)
    right = [float(all(scores[number] for number in group)) for group in groups.values()]
    categories = [text(rows[group[-1]], "category") for group in groups.values()]
    unread = sum(infer_choice(response(row), options_of(row)) is None for row in rows)
    details = {
        "groups": len(groups),
        "row_accuracy": sum(scores) / len(scores),
        "unread": unread,
        "categories": means(right, categories),
        "stderr": standard_error(right),
    }
    plain: dict[str, Any] = {} if rotated else {"metric": "accuracy", "lacks": ["no rotations"]}
    return Aggregate(sum(right) / len(right), interval(right), details, **plain)


def _groups(rows: Sequence[Row]) -> dict[int, list[int]]:
    """Return the indices of the rows of each question."""
    groups: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        groups.setdefault(whole(row, "index") % ROTATION, []).append(number)
    return groups


def _has_rotations(groups: Mapping[int, Sequence[int]], rows: Sequence[Row]) -> bool:
    """Return whether each question has a rotation per option; False if no question has rotations.

    Raises:
        UserError: some rotations are missing, or there are more rotations than options.
    """
    if all(len(group) == 1 for group in groups.values()):
        return False
    odd = {}
    for base, group in groups.items():
        turns = sorted(whole(rows[number], "index") // ROTATION for number in group)
        options = max(len(options_of(rows[number])) for number in group)
        if turns != list(range(options)):
            odd[base] = f"index {base} has {len(turns)} of {counted(options, 'rotation')}"
    if odd:
        raise UserError(
            f"{len(odd)} of {counted(len(groups), 'question')} {'lacks' if len(odd) == 1 else 'lack'} "
            f"rotations, for example {next(iter(odd.values()))}; circular accuracy needs each question "
            f"once per option, with its index plus multiples of {ROTATION:,}: predict all rows, or "
            "score each row separately with --variant rows"
        )
    return True


def whole_questions(rows: Sequence[Row]) -> int:
    """Return how many of the first rows are complete questions, with all rotations or all without."""
    counts: Counter[int] = Counter()
    incomplete: set[int] = set()
    found = 0
    for number, row in enumerate(rows, start=1):
        base = whole(row, "index") % ROTATION
        counts[base] += 1
        incomplete.add(base)
        if counts[base] == len(options_of(row)):
            incomplete.remove(base)
        if not incomplete or len(counts) == number:
            found = number
    return found


def prompt(row: Row) -> str:
    """Return the prompt of a row."""
    options = options_of(row)
    lines = "\n".join(f"{letter}. {options[letter]}" for letter in "ABCDE" if letter in options)
    hint = text(row, "hint")
    context = f"{hint} " if hint not in ("", ABSENT) else ""
    return f"{context}{question(row)} There are several options:\n{lines}\n{LETTER}"


MMBENCH = Benchmark(
    name="mmbench",
    metric="circular accuracy",
    score=score,
    source="VLMEvalKit's rules without a judge; https://arxiv.org/abs/2307.06281",
    columns=("index", "answer", "A", "B"),
    keys=(("index",),),
    aggregate=aggregate,
    whole=whole_questions,
    hub=HubData("lmms-lab/MMBench", "dev", "en", columns=("question", "hint", "C", "D")),
    prompt=prompt,
    max_new_tokens=1024,
    questions=4329,  # with rotations
    prompt_tokens=LONG_PROMPT_TOKENS,
    variants=(
        Variant(
            "rows",
            "every row separately, without rotations, as in LLaVA's script",
            {"metric": "accuracy", "aggregate": None, "whole": None},
        ),
    ),
)
