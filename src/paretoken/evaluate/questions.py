"""Benchmark questions: ``{question_id, image, question, answer}`` rows, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paretoken.data.conversations import IMAGE_TEXT, BadRowError, image_name
from paretoken.data.skips import Skips


@dataclass(frozen=True)
class Question:
    """One question; ``answers`` lists everything that counts as right."""

    id: str
    image: str | None
    text: str
    answers: tuple[str, ...]

    def prompt(self) -> str:
        """Return the user's turn, with the image's place."""
        has_place = self.image is None or IMAGE_TEXT in self.text
        return self.text if has_place else f"{IMAGE_TEXT}\n{self.text}"


def parse_questions(rows: Sequence[Mapping[str, Any]], skips: Skips) -> list[Question]:
    """Return the valid questions among ``rows``; the others go to ``skips``.

    Raises:
        UserError: more rows are bad than ``skips`` allows.
    """
    kept: list[Question] = []
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        try:
            question = _parse(row)
            if question.id in seen:
                raise BadRowError("its question_id stands twice")
            seen.add(question.id)
            kept.append(question)
        except BadRowError as error:
            skips.add(f"row {number} (question_id {row.get('question_id')!r})", str(error))
    skips.check(len(rows))
    return kept


def _parse(row: Mapping[str, Any]) -> Question:
    if row.get("question_id") in (None, ""):
        raise BadRowError("it has no question_id")
    text = row.get("question")
    if not isinstance(text, str) or not text.strip():
        raise BadRowError("it has no question")
    return Question(
        str(row["question_id"]), image_name(row.get("image")), text.strip(),
        answers_of(row.get("answer")),
    )  # fmt: skip


def answers_of(value: Any) -> tuple[str, ...]:
    """Return the accepted answers of a row: one text, or a list of texts.

    Raises:
        BadRowError: there is none, or one is empty.
    """
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values or not all(isinstance(v, str) and v.strip() for v in values):
        raise BadRowError("it has no answer (a text, or a list of accepted texts)")
    return tuple(values)
