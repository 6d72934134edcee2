"""MMMU: college exam questions, multiple choice or open, with up to seven images."""

from __future__ import annotations

import re
from collections.abc import Sequence

from paretoken.evaluate.benchmarks.base import (
    LONG_PROMPT_TOKENS,
    Aggregate,
    Benchmark,
    HubData,
    Row,
    Variant,
)
from paretoken.evaluate.benchmarks.mmmu_choice import read_choice
from paretoken.evaluate.benchmarks.mmmu_open import is_right
from paretoken.evaluate.benchmarks.prompts import LETTER, SHORT, letters, option_lines
from paretoken.evaluate.benchmarks.values import (
    gold,
    listed,
    one_of,
    parsed_list,
    question,
    require_few,
    require_texts,
    response,
    text,
    texts,
)
from paretoken.evaluate.score_intervals import interval, means

MULTIPLE_CHOICE, OPEN = "multiple-choice", "open"
IMAGES = tuple(f"image_{number}" for number in range(1, 8))
_PLACE = re.compile(r"<image (\d+)>")

DOMAINS = {
    "Art and Design": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
    "Health and Medicine": (
        "Basic_Medical_Science", "Clinical_Medicine", "Diagnostics_and_Laboratory_Medicine",
        "Pharmacy", "Public_Health",
    ),
    "Humanities and Social Science": ("History", "Literature", "Sociology", "Psychology"),
    "Tech and Engineering": (
        "Agriculture", "Architecture_and_Engineering", "Computer_Science", "Electronics",
        "Energy_and_Power", "Materials", "Mechanical_Engineering",
    ),
}  # fmt: skip
_DOMAIN = {subject: domain for domain, subjects in DOMAINS.items() for subject in subjects}


def choice_of(row: Row) -> str | None:
    """Return the letter that the answer to a multiple-choice question means; None if unparsed."""
    return read_choice(response(row), texts(row, "options"))


def score(row: Row) -> float:
    """Return 1 if the answer is correct, else 0; unparsed choices are wrong."""
    right = _accepted(row)
    if not _is_choice(row):
        return float(is_right(response(row), right))
    known = letters(len(require_texts(row, "options")))
    for letter in right:
        one_of({"answer": letter}, "answer", known)
    return float(choice_of(row) in right)


def _is_choice(row: Row) -> bool:
    return one_of(row, "question_type", (MULTIPLE_CHOICE, OPEN)) == MULTIPLE_CHOICE


def _accepted(row: Row) -> list[str]:
    """Return the correct answers of a row: one text, or a list, which may be written as a text."""
    value = row["answer"]
    if isinstance(value, list) or (isinstance(value, str) and parsed_list(value)):
        return require_few([gold({"answer": each}) for each in listed(row, "answer")], "answer")
    return [gold(row)]


def aggregate(rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    """Return the accuracy over all questions, with details by subject and domain."""
    mean = sum(scores) / len(scores)
    # The subject is part of the id, such as validation_Art_Theory_12.
    subjects = ["_".join(text(row, "id").split("_")[1:-1]) for row in rows]
    unread = [len(texts(row, "options")) for row in rows if _is_choice(row) and choice_of(row) is None]
    guesses = sum(1 / options for options in unread if options)
    details = {
        "unread": len(unread),
        # The official tool guesses an option for unparsed answers; this is its expected score.
        "score_with_guesses": mean + guesses / len(scores),
        "question_types": means(scores, [row["question_type"] for row in rows]),
        "domains": means(scores, [_DOMAIN.get(subject, "") for subject in subjects]),
        "subjects": means(scores, subjects),
    }
    return Aggregate(mean, interval(scores), details)


def prompt(row: Row) -> str:
    """Return the prompt of a row; references such as <image 1> stay in the text."""
    if _is_choice(row):
        return f"{question(row)}\n{option_lines(texts(row, 'options'))}\n{LETTER}"
    return f"{question(row)}\n{SHORT}"


def prompt_interleaved(row: Row) -> str:
    """Return the prompt of a row, with each image where the text first refers to it."""
    seen: set[str] = set()

    def place(found: re.Match[str]) -> str:
        if found.group(1) in seen:
            return found.group()
        seen.add(found.group(1))
        return "<image>"

    return _PLACE.sub(place, prompt(row))


def shown(row: Row) -> list[str]:
    """Return the columns of the images in the prompt, in the order of their numbers."""
    return sorted(set(shown_in_order(row)))


def shown_in_order(row: Row) -> list[str]:
    """Return the columns of the images in the prompt, in the order of the text."""
    return list(dict.fromkeys(f"image_{number}" for number in _PLACE.findall(prompt(row))))


MMMU = Benchmark(
    name="mmmu",
    metric="accuracy",
    score=score,
    source="the official tool, unread choices wrong; https://arxiv.org/abs/2311.16502",
    columns=("id", "question_type", "options", "answer"),
    keys=(("id",),),
    aggregate=aggregate,
    hub=HubData("lmms-lab/MMMU", "validation", images=IMAGES, columns=("question",)),
    prompt=prompt,
    shown=shown,
    questions=900,
    prompt_tokens=LONG_PROMPT_TOKENS,
    variants=(
        Variant(
            "interleaved",
            "images are placed where the question refers to them, not in front",
            {"prompt": prompt_interleaved, "shown": shown_in_order},
        ),
    ),
)
