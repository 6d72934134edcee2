"""Validating benchmark questions.

Rows are ``{question_id, image, question, answer}``, or those that `paretoken questions` writes, which
have ``_id`` and ``prompt`` instead of ``question_id`` and ``question``, one or more images, and the data
set's own columns, which are copied to the answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paretoken.data.conversations import (
    BadRowError,
    image_name,
    require_keys,
    whole_text,
)
from paretoken.data.image_places import IMAGE_TEXT, spelling_problem
from paretoken.data.row_keys import kind_of
from paretoken.data.skips import Skips
from paretoken.evaluate.ids import ROW_ID, id_text
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted

#: The column of `paretoken questions` that holds the whole prompt.
PROMPT = "prompt"

#: Keys of other rows, with their content.
QUESTION_KEYS = {
    "question_id": "a unique id",
    "image": "the path of one image",
    "question": "a text",
    "answer": "a text, or a list of accepted texts",
}


#: Keys that all rows of `paretoken questions` have, with their content.
OWN_KEYS = {PROMPT: "the whole prompt", "image": "the path of one image, or a list of them"}


@dataclass(frozen=True)
class Question:
    """One question; ``answers`` are all accepted answers.

    ``more_images`` follow ``image``; ``columns`` are the data set's own and are copied to the answers.
    """

    id: str
    image: str | None
    text: str
    answers: tuple[str, ...]
    more_images: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> tuple[str, ...]:
        """All images, in the order of their placeholders in the prompt."""
        return () if self.image is None else (self.image, *self.more_images)

    def prompt(self) -> str:
        """Return the user's turn; placeholders of images are put first unless the text has them."""
        if not self.images or IMAGE_TEXT in self.text:
            return self.text
        return IMAGE_TEXT * len(self.images) + f"\n{self.text}"


def parse_questions(rows: Sequence[Mapping[str, Any]], skips: Skips) -> list[Question]:
    """Return the valid questions among ``rows``; bad rows are added to ``skips``.

    Raises:
        UserError: more rows are bad than ``skips`` allows.
    """
    good, bad = sort_questions(rows)
    for number, reason in bad.items():
        skips.add(place_of(number, rows[number - 1]), reason)
    skips.check(len(rows))
    return list(good.values())


def sort_questions(
    rows: Sequence[Mapping[str, Any]], as_they_are: bool = False
) -> tuple[dict[int, Question], dict[int, str]]:
    """Return the valid questions by row, from 1, and the problems of the other rows.

    Args:
        rows: rows of a file of questions.
        as_they_are: whether prompts are a benchmark's own, which may refer to images in its own way
            (MMMU's ``<image 1>``). In other prompts, misspelt placeholders are errors.
    """
    good: dict[int, Question] = {}
    bad: dict[int, str] = {}
    first: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        column = id_column(row)
        try:
            question = _parse_own(row) if column == ROW_ID else _parse(row)
            if question.images and not as_they_are:
                _require_spelled(PROMPT if column == ROW_ID else "question", question.text)
            seen = first.setdefault(id_text(row[column], column), number)
            if seen != number:
                raise BadRowError(f"its {column} appears twice, in row {seen} too")
            good[number] = question
        except BadRowError as error:
            bad[number] = str(error)
    return good, bad


def id_column(row: Mapping[str, Any]) -> str:
    """Return the column of a question's id, which differs in rows of `paretoken questions`."""
    own = PROMPT in row or (ROW_ID in row and "question_id" not in row)
    return ROW_ID if own else "question_id"


def place_of(number: int, row: Mapping[str, Any]) -> str:
    """Return the number and id of a row, for messages."""
    return f"row {number} ({id_column(row)} {shown(row.get(id_column(row)))})"


def _parse_own(row: Mapping[str, Any]) -> Question:
    """Return the question of a row that `paretoken questions` wrote."""
    # Columns of the data set may have names like "images", so only a missing key can be a misspelt one.
    missing = {key: holds for key, holds in OWN_KEYS.items() if key not in row}
    require_keys(row, missing, doubles=False)
    if row.get(ROW_ID) in (None, ""):
        raise BadRowError(f"it has no {ROW_ID}")
    text = row.get(PROMPT)
    if not isinstance(text, str) or not text.strip():
        raise BadRowError(
            f"it has no {PROMPT}; add one, or give question_id and question instead of {ROW_ID} and "
            f"{PROMPT}"
        )
    images = _images(row.get("image"), text, PROMPT)
    own = {name: each for name, each in row.items() if name not in (PROMPT, "image")}
    whole_text(json.dumps(own, ensure_ascii=False, default=str), "columns")
    first = images[0] if images else None
    return Question(
        str(row[ROW_ID]), first, whole_text(text.strip(), PROMPT), (), tuple(images[1:]), own
    )


def _parse(row: Mapping[str, Any]) -> Question:
    require_keys(row, QUESTION_KEYS, doubles=False)
    name = row.get("question_id")
    if name in (None, ""):
        raise BadRowError("it has no question_id")
    if isinstance(name, bool) or not isinstance(name, str | int | float):
        raise BadRowError(f"its question_id is {kind_of(name)}; write a text or a number")
    text = row.get("question")
    if text is not None and not isinstance(text, str):
        raise BadRowError(f"its question is {kind_of(text)}; write a text")
    if text is None or not text.strip():
        raise BadRowError("it has no question")
    images = _images(row.get("image"), text, "question")
    return Question(
        whole_text(str(name), "question_id"),
        images[0] if images else None,
        whole_text(text.strip(), "question"),
        answers_of(row.get("answer")),
        tuple(images[1:]),
    )


def _images(value: Any, text: str, where: str) -> list[str]:
    """Return the names of a row's images, which are given as one name or a list of names.

    Raises:
        BadRowError: an entry of a list is empty, or the text has another number of placeholders.
    """
    names = [image_name(each) for each in (value if isinstance(value, list) else [value])]
    images = [name for name in names if name is not None]
    if isinstance(value, list) and len(images) < len(names):
        raise BadRowError(
            f"entry {names.index(None) + 1} of its list of images is empty; remove or correct it"
        )
    places = text.count(IMAGE_TEXT)
    if places not in (0, len(images)):
        raise BadRowError(
            f"its {where} has {counted(places, 'placeholder')} for {counted(len(images), 'image')}"
        )
    return images


def _require_spelled(where: str, text: str) -> None:
    """Raise `BadRowError` if a text about images has misspelt placeholders."""
    if problem := spelling_problem({f"its {where}": text}):
        raise BadRowError(problem)


def answers_of(value: Any) -> tuple[str, ...]:
    """Return the accepted answers of a row, which are given as one text or a list of texts.

    Raises:
        BadRowError: there is no answer, or one is empty or not a text.
    """
    values = list(value) if isinstance(value, list | tuple) else [value]
    other = [each for each in values if each is not None and not isinstance(each, str)]
    if other:
        raise BadRowError(
            f"its answer is {kind_of(other[0])}; write a text, or a list of accepted texts"
        )
    if not values or not all(each and each.strip() for each in values):
        raise BadRowError("it has no answer (a text, or a list of accepted texts)")
    return tuple(whole_text(value, "answer") for value in values)
