"""Benchmark questions, checked.

Rows are ``{question_id, image, question, answer}``, or those that `paretoken questions` writes: with
``_id`` and ``prompt`` in the places of ``question_id`` and ``question``, one or more images, and the
data set's own columns, which pass through to the answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paretoken.data.conversations import IMAGE_TEXT, BadRowError, image_name, whole_text
from paretoken.data.skips import Skips
from paretoken.evaluate.ids import ROW_ID

#: The column of `paretoken questions` that holds the whole prompt.
PROMPT = "prompt"


@dataclass(frozen=True)
class Question:
    """One question; ``answers`` lists everything that counts as right.

    ``more_images`` follow ``image``; ``columns`` are the data set's own and pass through.
    """

    id: str
    image: str | None
    text: str
    answers: tuple[str, ...]
    more_images: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> tuple[str, ...]:
        """All images, in the order of their places in the prompt."""
        return () if self.image is None else (self.image, *self.more_images)

    def prompt(self) -> str:
        """Return the user's turn, with the images' places: in front, unless the text has them."""
        if not self.images or IMAGE_TEXT in self.text:
            return self.text
        return IMAGE_TEXT * len(self.images) + f"\n{self.text}"


def parse_questions(rows: Sequence[Mapping[str, Any]], skips: Skips) -> list[Question]:
    """Return the valid questions among ``rows``; the others go to ``skips``.

    Raises:
        UserError: more rows are bad than ``skips`` allows.
    """
    kept: list[Question] = []
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        try:
            question = _parse_own(row) if PROMPT in row else _parse(row)
            if question.id in seen:
                raise BadRowError(f"its {ROW_ID if PROMPT in row else 'question_id'} stands twice")
            seen.add(question.id)
            kept.append(question)
        except BadRowError as error:
            skips.add(f"row {number} (question_id {row.get('question_id')!r})", str(error))
    skips.check(len(rows))
    return kept


def _parse_own(row: Mapping[str, Any]) -> Question:
    """Check a row that `paretoken questions` wrote."""
    if row.get(ROW_ID) in (None, ""):
        raise BadRowError(f"it has no {ROW_ID}")
    text = row[PROMPT]
    if not isinstance(text, str) or not text.strip():
        raise BadRowError(f"it has no {PROMPT}")
    value = row.get("image")
    names = value if isinstance(value, list) else [value]
    images = [name for name in map(image_name, names) if name is not None]
    if text.count(IMAGE_TEXT) not in (0, len(images)):
        raise BadRowError(f"its prompt has {text.count(IMAGE_TEXT)} places for {len(images)} images")
    own = {name: each for name, each in row.items() if name not in (PROMPT, "image")}
    whole_text(json.dumps(own, ensure_ascii=False, default=str), "columns")
    first = images[0] if images else None
    return Question(
        str(row[ROW_ID]), first, whole_text(text.strip(), PROMPT), (), tuple(images[1:]), own
    )


def _parse(row: Mapping[str, Any]) -> Question:
    if row.get("question_id") in (None, ""):
        raise BadRowError("it has no question_id")
    text = row.get("question")
    if not isinstance(text, str) or not text.strip():
        raise BadRowError("it has no question")
    return Question(
        whole_text(str(row["question_id"]), "question_id"), image_name(row.get("image")),
        whole_text(text.strip(), "question"), answers_of(row.get("answer")),
    )  # fmt: skip


def answers_of(value: Any) -> tuple[str, ...]:
    """Return the accepted answers of a row: one text, or a list of texts.

    Raises:
        BadRowError: there is none, or one is empty.
    """
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values or not all(isinstance(v, str) and v.strip() for v in values):
        raise BadRowError("it has no answer (a text, or a list of accepted texts)")
    return tuple(whole_text(value, "answer") for value in values)
