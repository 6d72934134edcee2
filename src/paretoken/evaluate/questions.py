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

#: The column of `paretoken questions` that holds the whole prompt.
PROMPT = "prompt"

#: What is read of other rows, with what it holds.
QUESTION_KEYS = {
    "question_id": "a unique id",
    "image": "the path of one image",
    "question": "a text",
    "answer": "a text, or a list of accepted texts",
}


#: The same of rows that `paretoken questions` writes, all of which have both.
OWN_KEYS = {PROMPT: "the whole prompt", "image": "the path of one image, or a list of them"}


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
    good, bad = sort_questions(rows)
    for number, reason in bad.items():
        skips.add(place_of(number, rows[number - 1]), reason)
    skips.check(len(rows))
    return list(good.values())


def sort_questions(
    rows: Sequence[Mapping[str, Any]], as_they_are: bool = False
) -> tuple[dict[int, Question], dict[int, str]]:
    """Return the valid questions by row from 1, and what is wrong with the other rows.

    Args:
        rows: of a file of questions.
        as_they_are: whether prompts are a benchmark's own, which may name pictures in its way (MMMU's
            ``<image 1>``); other spellings of images' places are errors elsewhere.
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
    """Return the column that holds a question's id: rows of `paretoken questions` have their own."""
    own = PROMPT in row or (ROW_ID in row and "question_id" not in row)
    return ROW_ID if own else "question_id"


def place_of(number: int, row: Mapping[str, Any]) -> str:
    """Return where a row is, for messages."""
    return f"row {number} ({id_column(row)} {shown(row.get(id_column(row)))})"


def _parse_own(row: Mapping[str, Any]) -> Question:
    """Check a row that `paretoken questions` wrote."""
    # Columns of the data set may be called like images: only a key that is not there can be misspelt.
    missing = {key: holds for key, holds in OWN_KEYS.items() if key not in row}
    require_keys(row, missing, doubles=False)
    if row.get(ROW_ID) in (None, ""):
        raise BadRowError(f"it has no {ROW_ID}")
    text = row.get(PROMPT)
    if not isinstance(text, str) or not text.strip():
        raise BadRowError(
            f"it has no {PROMPT}; write one, or a question_id and a question instead of {ROW_ID} and "
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
        whole_text(str(name), "question_id"), images[0] if images else None,
        whole_text(text.strip(), "question"), answers_of(row.get("answer")), tuple(images[1:]),
    )  # fmt: skip


def _images(value: Any, text: str, where: str) -> list[str]:
    """Return the names of a row's images: of one, or of a list of them.

    Raises:
        BadRowError: one of a list is empty, or the text has places for another number of images.
    """
    names = [image_name(each) for each in (value if isinstance(value, list) else [value])]
    images = [name for name in names if name is not None]
    if isinstance(value, list) and len(images) < len(names):
        raise BadRowError(f"its list of images has an empty place, number {names.index(None) + 1}")
    places = text.count(IMAGE_TEXT)
    if places not in (0, len(images)):
        raise BadRowError(f"its {where} has {places} places for {len(images)} images")
    return images


def _require_spelled(where: str, text: str) -> None:
    """Raise `BadRowError` if a text about images has their places in another spelling."""
    if problem := spelling_problem({f"its {where}": text}):
        raise BadRowError(problem)


def answers_of(value: Any) -> tuple[str, ...]:
    """Return the accepted answers of a row: one text, or a list of texts.

    Raises:
        BadRowError: there is none, or one is empty.
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
