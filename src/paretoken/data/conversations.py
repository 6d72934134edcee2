"""Conversations in LLaVA's format: ``{id, image, conversations: [{from, value}, ...]}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paretoken.data.skips import Skips

#: Where the image stands in a human turn.
IMAGE_TEXT = "<image>"

#: The two roles, which alternate; the first one asks.
ASKS, ANSWERS = "human", "gpt"


class BadRowError(ValueError):
    """One row of a data set that cannot be used; the message says why."""


@dataclass(frozen=True)
class Conversation:
    """Questions and answers about at most one image.

    ``turns`` alternate between question and answer; the image's place is in the first question.
    """

    id: str
    image: str | None
    turns: tuple[str, ...]

    def messages(self) -> list[dict[str, str]]:
        """Return the turns as chat templates expect them."""
        roles = ("user", "assistant")
        return [{"role": roles[i % 2], "content": text} for i, text in enumerate(self.turns)]


def parse_conversations(rows: Sequence[Mapping[str, Any]], skips: Skips) -> list[Conversation]:
    """Return the valid conversations among ``rows``; the others go to ``skips``.

    Raises:
        UserError: more rows are bad than ``skips`` allows.
    """
    kept: list[Conversation] = []
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        try:
            conversation = parse_conversation(row)
            if conversation.id in seen:
                raise BadRowError("its id stands twice; each row needs its own")
            seen.add(conversation.id)
            kept.append(conversation)
        except BadRowError as error:
            skips.add(f"row {number} (id {row.get('id')!r})", str(error))
    skips.check(len(rows))
    return kept


def parse_conversation(row: Mapping[str, Any]) -> Conversation:
    """Check one row.

    Raises:
        BadRowError: the id is missing, roles do not alternate from human to gpt, a turn is empty, or
            image and place of the image do not match.
    """
    if row.get("id") in (None, ""):
        raise BadRowError("it has no id")
    turns = _turns(row.get("conversations"))
    image = image_name(row.get("image"))
    places = [text.count(IMAGE_TEXT) for text in turns]
    if image is None and any(places):
        raise BadRowError(f"a turn contains {IMAGE_TEXT}, but the row names no image")
    if image is not None and not any(places):
        turns[0] = f"{IMAGE_TEXT}\n{turns[0]}"
    elif image is not None and (places[0] != 1 or sum(places) != 1):
        raise BadRowError(f"{IMAGE_TEXT} must stand once, in the first human turn")
    return Conversation(str(row["id"]), image, tuple(turns))


def image_name(value: Any) -> str | None:
    """Return the name of a row's image (a path, or a stored image with its path), None without.

    Raises:
        BadRowError: the value is neither.
    """
    if isinstance(value, Mapping):
        value = value.get("path")
        if value is None:
            raise BadRowError("its stored image has no path to call it by")
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise BadRowError(f"its image is {type(value).__name__}; write one path")
    return value


def _turns(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise BadRowError("it has no conversations: [{from, value}, ...]")
    texts = []
    for index, turn in enumerate(value):
        role, text = (turn.get("from"), turn.get("value")) if isinstance(turn, Mapping) else ("", "")
        expected = (ASKS, ANSWERS)[index % 2]
        if role != expected:
            raise BadRowError(f"turn {index + 1} is from {role!r}; it must be from {expected!r}")
        if not isinstance(text, str) or not text.strip():
            kind = "answer" if role == ANSWERS else "question"
            raise BadRowError(f"turn {index + 1} is an empty {kind}")
        texts.append(text.strip())
    if len(texts) % 2:
        raise BadRowError("its last question has no answer")
    return texts
