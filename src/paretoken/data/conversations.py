"""Conversations in LLaVA's format: ``{id, image, conversations: [{from, value}, ...]}``.

Ids are kept but not relied on: in LLaVA's mix many rows share one (the image's), some ids are numbers,
and nothing in training is keyed by them. Ids of a benchmark's questions, which identify answers, must be
unique (`paretoken.evaluate.questions`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paretoken.data.image_files import name_problem
from paretoken.data.image_places import IMAGE_TEXT, spelling_problem
from paretoken.data.row_keys import key_problems, kind_of
from paretoken.data.skips import Skips
from paretoken.data.stored_names import stored_name
from paretoken.io.escape import shown

#: The two roles, which alternate; the first one asks.
ASKS, ANSWERS = "human", "gpt"

#: The keys that are read of a row and of a turn, with what they hold.
IMAGE_KEY = {"image": "the path of one image"}
ROW_KEYS = {**IMAGE_KEY, "conversations": "[{from, value}, ...]"}
TURN_KEYS = {"from": f"{ASKS!r} or {ANSWERS!r}", "value": "the text"}


class BadRowError(ValueError):
    """A row of a data set cannot be used; the message says why."""


def require_keys(
    row: Mapping[str, Any], known: Mapping[str, str], where: str = "it", doubles: bool = True
) -> None:
    """Raise `BadRowError` for keys that look like misspelt known ones; arguments of `key_problems`."""
    problems = list(key_problems(row, known, where, doubles))
    if problems:
        raise BadRowError("; ".join(problems))


def whole_text(text: str, what: str) -> str:
    r"""Return a text that can be tokenized and stored.

    JSON can hold a lone surrogate (``\ud83d``, one of the two escapes of an emoji), if a text was cut
    within a character; UTF-8 cannot.

    Args:
        text: the text to check.
        what: what to call it in the message.

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

    ``turns`` alternate between question and answer; the placeholder of the image starts a question.
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
    """Counts of rows: those read, kept, left out because their image was skipped, and without image."""

    rows: int = 0
    kept: int = 0
    without_image_file: int = 0
    text_only: int = 0


def iter_conversations(
    rows: Iterable[Mapping[str, Any]],
    skips: Skips,
    skipped: Collection[str] = (),
    census: Census | None = None,
    plain: bool = False,
) -> Iterator[Conversation]:
    """Yield the valid conversations among ``rows``, in order.

    Args:
        rows: rows of the data set.
        skips: collects bad rows; the caller checks at the end whether there are too many.
        skipped: images that cannot be read: conversations about them are left out, and are not bad.
        census: counts the rows.
        plain: whether only one question and one answer are allowed (the template ``plain``).
    """
    census = Census() if census is None else census
    for number, row in enumerate(rows, start=1):
        census.rows = number
        try:
            conversation = parse_conversation(row)
            if plain and len(conversation.turns) != 2:
                raise BadRowError("the template plain takes one question and one answer")
        except BadRowError as error:
            skips.add(f"row {number} (id {shown(row.get('id'))})", str(error))
            continue
        if conversation.image in skipped:
            census.without_image_file += 1
            continue
        census.kept += 1
        census.text_only += conversation.image is None
        yield conversation


def parse_conversation(row: Mapping[str, Any]) -> Conversation:
    """Validate one row and bring it into LLaVA-1.5's normal form (`preprocess_multimodal` there).

    The placeholder moves to the start of its turn, with a line break after it. A first turn that is not
    human is left out, and so is a last question without an answer, from which nothing is learned.

    Raises:
        BadRowError: a key is misspelt, roles do not alternate, a turn is empty or not a text, or image
            and placeholder do not match.
    """
    require_keys(row, ROW_KEYS)
    turns = _turns(row.get("conversations"))
    image = image_name(row.get("image"))
    places = [index for index, text in enumerate(turns) for _ in range(text.count(IMAGE_TEXT))]
    if image is None and places:
        raise BadRowError(f"a turn contains {IMAGE_TEXT}, but the row names no image")
    if image is not None:
        if len(places) > 1 or any(place % 2 for place in places):
            raise BadRowError(f"{IMAGE_TEXT} must appear once, in a human turn")
        named = {f"turn {number}": text for number, text in enumerate(turns, start=1)}
        answers = {name: named.pop(name) for name in list(named)[1::2]}
        if problem := spelling_problem(named, answers):
            raise BadRowError(problem)
        place = places[0] if places else 0
        text = turns[place].replace(IMAGE_TEXT, "").strip()
        turns[place] = f"{IMAGE_TEXT}\n{text}".strip()
    return Conversation(_id(row.get("id", "")), image, tuple(turns))


def _id(value: Any) -> str:
    """Return an id as text, truncated if it is neither a text nor a number."""
    return value if isinstance(value, str) else shown(value)


def row_image(row: Mapping[str, Any]) -> str | None:
    """Return the name of the image of a row that may have one; None without.

    Raises:
        BadRowError: it is not a valid name, or its key is misspelt.
    """
    require_keys(row, IMAGE_KEY)
    return image_name(row.get("image"))


def image_name(value: Any) -> str | None:
    """Return the name of a row's image: its path, or `stored_name` for an image that the row holds.

    None without an image.

    Raises:
        BadRowError: the value is neither, or a path that leads out of the image folder.
    """
    content = None
    if isinstance(value, Mapping):
        content, value = value.get("bytes"), value.get("path")
        if not content and value is None:
            raise BadRowError("its stored image has neither bytes nor a path")
    if value is not None and not isinstance(value, str):
        raise BadRowError(f"its image is {kind_of(value)}; write one path")
    whole_text(value or "", "image")
    if content:
        if not isinstance(content, bytes):
            raise BadRowError(
                f"the bytes of its image are {kind_of(content)}; store them as binary values (Parquet), "
                "or write the path of an image file"
            )
        return stored_name(content, value)
    if not value:
        return None
    if problem := name_problem(value):
        raise BadRowError(f"its image {shown(value)} {problem}")
    return value


def _turns(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        if value in (None, []):
            raise BadRowError("it has no conversations; write [{from, value}, ...]")
        raise BadRowError(f"its conversations are {kind_of(value)}; write [{{from, value}}, ...]")
    turns = [_turn(number, turn) for number, turn in enumerate(value, start=1)]
    skipped = 1 if turns[0]["from"] == ANSWERS else 0
    if (len(turns) - skipped) % 2 and turns[-1]["from"] == ASKS:
        turns.pop()
    if len(turns) <= skipped:
        raise BadRowError("no question in it has an answer")
    return [_text(index, skipped, turns[index]) for index in range(skipped, len(turns))]


def _turn(number: int, turn: Any) -> Mapping[str, Any]:
    if not isinstance(turn, Mapping):
        raise BadRowError(f"turn {number} is {kind_of(turn)}; write {{from, value}}")
    require_keys(turn, TURN_KEYS, f"turn {number}")
    missing = [key for key in TURN_KEYS if key not in turn]
    if missing:
        raise BadRowError(f"turn {number} has no {missing[0]!r}; write {{from, value}}")
    return turn


def _text(index: int, skipped: int, turn: Mapping[str, Any]) -> str:
    place, role, text = f"turn {index + 1}", turn["from"], turn["value"]
    expected = (ASKS, ANSWERS)[(index - skipped) % 2]
    if role != expected:
        raise BadRowError(f"{place} is from {shown(role)}; it must be from {expected!r}")
    if not isinstance(text, str):
        raise BadRowError(f"{place} is {kind_of(text)}; write a text")
    if not text.strip():
        kind = "answer" if role == ANSWERS else "question"
        raise BadRowError(f"{place} is an empty {kind}; write its text, or remove the turn")
    return whole_text(text.strip(), place)
