"""Conversations in LLaVA's format: ``{id, image, conversations: [{from, value}, ...]}``.

Ids are kept but not relied on: in the real mix many rows share one (it is the image's), some ids are
numbers, and nothing that training makes is keyed by them. Questions of a benchmark, whose ids identify
answers, must be unique (`paretoken.evaluate.questions`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paretoken.data.skips import Skips

#: Where the image stands in a human turn.
IMAGE_TEXT = "<image>"

#: The two roles, which alternate; the first one asks.
ASKS, ANSWERS = "human", "gpt"


class BadRowError(ValueError):
    """One row of a data set that cannot be used; the message says why."""


def whole_text(text: str, what: str) -> str:
    r"""Return a text that can be tokenized and stored.

    JSON can hold half a character (``\ud83d``, one of the two escapes of an emoji), where somebody cut
    a text in the middle; UTF-8 cannot.

    Args:
        text: to check.
        what: how to call it in the message.

    Raises:
        BadRowError: it holds half a character.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = ascii(text[error.start])
        raise BadRowError(f"its {what} holds half a character ({half}): cut in the middle?") from error
    return text


@dataclass(frozen=True)
class Conversation:
    """Questions and answers about at most one image.

    ``turns`` alternate between question and answer; the image stands at the start of a question.
    """

    id: str
    image: str | None
    turns: tuple[str, ...]

    def messages(self) -> list[dict[str, str]]:
        """Return the turns as chat templates expect them."""
        roles = ("user", "assistant")
        return [{"role": roles[i % 2], "content": text} for i, text in enumerate(self.turns)]


@dataclass
class Census:
    """What was read: rows, and how many of them were left out because their image was skipped."""

    rows: int = 0
    kept: int = 0
    without_image_file: int = 0
    text_only: int = 0


def parse_conversations(
    rows: Iterable[Mapping[str, Any]], skips: Skips, skipped: Collection[str] = ()
) -> list[Conversation]:
    """Return the valid conversations among ``rows``; the others go to ``skips``.

    Raises:
        UserError: more rows are bad than ``skips`` allows.
    """
    census = Census()
    kept = list(iter_conversations(rows, skips, skipped, census))
    skips.check(census.rows)
    return kept


def iter_conversations(
    rows: Iterable[Mapping[str, Any]],
    skips: Skips,
    skipped: Collection[str] = (),
    census: Census | None = None,
    plain: bool = False,
) -> Iterator[Conversation]:
    """Yield the valid conversations among ``rows``, in order.

    Args:
        rows: of the data set.
        skips: takes bad rows; whether there are too many is for the caller to check at the end.
        skipped: images that cannot be read: conversations about them are left out, and are not bad.
        census: counts what is seen.
        plain: whether only one question and one answer make sense (the template ``plain``).
    """
    census = Census() if census is None else census
    for number, row in enumerate(rows, start=1):
        census.rows = number
        try:
            conversation = parse_conversation(row)
            if plain and len(conversation.turns) != 2:
                raise BadRowError("the template plain takes one question and one answer")
        except BadRowError as error:
            skips.add(f"row {number} (id {row.get('id')!r})", str(error))
            continue
        if conversation.image in skipped:
            census.without_image_file += 1
            continue
        census.kept += 1
        census.text_only += conversation.image is None
        yield conversation


def parse_conversation(row: Mapping[str, Any]) -> Conversation:
    """Check one row and bring it into LLaVA-1.5's normal form (`preprocess_multimodal` there).

    The image moves to the start of its turn, with a line break after it; a first turn that is not
    human is left out, and so is a last question without an answer, which teaches nothing.

    Raises:
        BadRowError: roles do not alternate, a turn is empty, or image and place of the image do not
            match.
    """
    turns = _turns(row.get("conversations"))
    image = image_name(row.get("image"))
    places = [index for index, text in enumerate(turns) for _ in range(text.count(IMAGE_TEXT))]
    if image is None and places:
        raise BadRowError(f"a turn contains {IMAGE_TEXT}, but the row names no image")
    if image is not None:
        if len(places) > 1 or any(place % 2 for place in places):
            raise BadRowError(f"{IMAGE_TEXT} must stand once, in a human turn")
        place = places[0] if places else 0
        text = turns[place].replace(IMAGE_TEXT, "").strip()
        turns[place] = f"{IMAGE_TEXT}\n{text}".strip()
    return Conversation(str(row.get("id", "")), image, tuple(turns))


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
    return whole_text(value, "image")


def _turns(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise BadRowError("it has no conversations: [{from, value}, ...]")
    pairs = [
        (turn.get("from"), turn.get("value")) if isinstance(turn, Mapping) else ("", "")
        for turn in value
    ]
    skipped = 1 if pairs[0][0] == ANSWERS else 0
    if (len(pairs) - skipped) % 2 and pairs[-1][0] == ASKS:
        pairs.pop()
    if len(pairs) <= skipped:
        raise BadRowError("no question in it has an answer")
    return [_text(index, skipped, *pairs[index]) for index in range(skipped, len(pairs))]


def _text(index: int, skipped: int, role: Any, text: Any) -> str:
    expected = (ASKS, ANSWERS)[(index - skipped) % 2]
    if role != expected:
        raise BadRowError(f"turn {index + 1} is from {role!r}; it must be from {expected!r}")
    if not isinstance(text, str) or not text.strip():
        kind = "answer" if role == ANSWERS else "question"
        raise BadRowError(f"turn {index + 1} is an empty {kind}")
    return whole_text(text.strip(), f"turn {index + 1}")
