"""MathVista: mathematics with pictures, multiple choice or free form, scored without a judge."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import LONG_PROMPT_TOKENS, Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.edit_distance import edit_distances
from paretoken.evaluate.benchmarks.prompts import LETTER, letters, option_lines
from paretoken.evaluate.benchmarks.values import (
    gold,
    one_of,
    question,
    require_texts,
    response,
    text,
    texts,
    whole,
)
from paretoken.io.numerals import number_of

MULTI_CHOICE, FREE_FORM = "multi_choice", "free_form"
NUMBERS = ("integer", "float")
ANSWER_TYPES = ("text", *NUMBERS, "list")
#: Most significant decimals of a double.
MOST_DECIMALS = 17
_BRACKETED = re.compile(r"\(([a-zA-Z])\)")
DECIMALS = {1: " with one decimal place", 2: " with two decimal places"}


def score(row: Row) -> float:
    """Return 1 if the extracted and normalised answer is correct, else 0.

    Correct numbers are normalised, too: 2, 2.0 and 2.00 are equal, however the file stores them.
    """
    right = _right(row)
    if row["question_type"] != MULTI_CHOICE and row["answer_type"] in NUMBERS:
        right = normalise(row, right) or right
    said = response(row)
    extracted = extract(row, said) if said else ""
    normalised = normalise(row, extracted) if extracted.strip() else None
    return float(normalised is not None and normalised.strip() == right)


def score_lmms_eval(row: Row) -> float:
    """Return the score of lmms-eval without its judge.

    An answer that is not in the expected form becomes empty, and an empty answer to a multiple-choice
    question selects the shortest choice. Rounding fails if the precision is stored as a float.
    """
    right = _right(row)
    rounded = row["question_type"] != MULTI_CHOICE and row["answer_type"] == "float"
    if rounded and isinstance(row["precision"], float):
        return 0.0
    normalised = normalise(row, as_asked(row, response(row)) or "")
    return float(normalised is not None and normalised.strip() == right)


def _right(row: Row) -> str:
    """Return the correct answer of a row, after validating the row.

    Raises:
        BadRowError: the type of the question or answer is unknown, choices or the correct one among
            them are missing, a number is not a number, or a float has no precision.
    """
    choice = one_of(row, "question_type", (MULTI_CHOICE, FREE_FORM)) == MULTI_CHOICE
    kind = one_of(row, "answer_type", ANSWER_TYPES)
    needed = "choices" if choice else "precision" if kind == "float" else None
    if needed is not None and needed not in row:
        raise BadRowError(f"it has no {needed}; add the data set's own column")
    right = gold(row).strip()
    if choice:
        one_of({"answer": right}, "answer", [each.strip() for each in require_texts(row, "choices")])
    elif kind == "float":
        _precision(row)
    if not choice and kind in NUMBERS and not math.isfinite(number_of(right)):
        raise BadRowError(f"its answer is {right!r}, and its answer_type is {kind}; write a number")
    if not choice and kind == "integer":
        whole(row, "answer")
    return right


def _precision(row: Row) -> int:
    """Return the number of decimals of the correct answer.

    Raises:
        BadRowError: ``precision`` is missing, or is not a number of decimals.
    """
    decimals = whole(row, "precision")
    if not 0 <= decimals <= MOST_DECIMALS:
        raise BadRowError(f"its precision is {decimals}; it must be 0 to {MOST_DECIMALS} decimals")
    return decimals


def extract(row: Row, said: str) -> str:
    """Return the answer in a response by the official quick extraction, or else the whole response."""
    found = as_asked(row, said)
    if found is not None:
        return found
    for line in said.split("\n"):
        quoted, end, _ = line.partition('The answer is "')[2].rpartition('".')
        if end:
            return quoted
    return said


def as_asked(row: Row, said: str) -> str | None:
    """Return a response if it is a choice or a number of the expected type; None otherwise."""
    if row["question_type"] == MULTI_CHOICE and said in texts(row, "choices"):
        return said
    if row["answer_type"] == "integer":
        return _attempt(lambda: str(int(said)))
    if row["answer_type"] == "float":
        return _attempt(lambda: str(float(said)))
    return None


def normalise(row: Row, extracted: str) -> str | None:
    """Return an extracted answer in the form of correct answers; None if that is impossible."""
    kind = row["answer_type"]
    if row["question_type"] == MULTI_CHOICE:
        return _choice(extracted.strip(), texts(row, "choices"))
    if kind == "integer":
        return _attempt(lambda: str(int(float(extracted))))
    if kind == "float":
        return _attempt(lambda: str(round(float(extracted), _precision(row))))
    return extracted


def _choice(extracted: str, choices: Sequence[str]) -> str | None:
    """Return the choice of a letter, or the one with the smallest edit distance to a text."""
    bracketed = _BRACKETED.search(extracted)
    letter = bracketed.group(1).upper() if bracketed else extracted
    if letter in letters(len(choices)):
        return choices[letters(len(choices)).index(letter)]
    distances = edit_distances(letter, choices)
    return choices[distances.index(min(distances))] if choices else None


def _attempt(convert: Callable[[], str]) -> str | None:
    try:
        return convert()
    except (ValueError, TypeError, OverflowError):
        return None


def prompt(row: Row) -> str:
    """Return the prompt of a row in lmms-eval's format, without examples or reasoning."""
    unit = text(row, "unit")
    asked = question(row) + (f" (Unit: {unit})" if unit else "")
    choices = texts(row, "choices")
    return "\n".join(part for part in (asked, option_lines(choices), _hint(row)) if part)


def _hint(row: Row) -> str:
    if row["question_type"] == MULTI_CHOICE:
        return LETTER.strip()
    if row["answer_type"] == "integer":
        return "Answer the question using a single integer number."
    if row["answer_type"] == "float":
        decimals = DECIMALS.get(_precision(row), "")
        return f"Answer the question using a single floating-point number{decimals}."
    return "Answer the question using a Python list." if row["answer_type"] == "list" else ""


def prompt_query(row: Row) -> str:
    """Return the data set's own prompt, with its hint to reason."""
    return question(row, "query")


MATHVISTA = Benchmark(
    name="mathvista",
    metric="accuracy",
    score=score,
    source="the official normaliser, no judge; https://arxiv.org/abs/2310.02255",
    columns=("question_type", "answer_type", "answer"),
    keys=(("pid",), ("question_id",)),
    breakdown=("question_type", "answer_type"),
    hub=HubData(
        "AI4Math/MathVista",
        "testmini",
        images=("decoded_image",),
        columns=("question", "unit", "query", "choices", "precision"),
    ),
    prompt=prompt,
    max_new_tokens=1024,
    questions=1000,
    prompt_tokens=LONG_PROMPT_TOKENS,
    variants=(
        Variant(
            "lmms_eval",
            "lmms-eval without its judge: floats are wrong, unparsed answers mean the shortest choice",
            {"score": score_lmms_eval},
        ),
        Variant("query", "asks with the data set's own prompt", {"prompt": prompt_query}),
    ),
)
