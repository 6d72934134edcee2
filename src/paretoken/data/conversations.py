"""Conversations in LLaVA's format: ``{id, image, conversations: [{from, value}, ...]}``.

Ids are kept but not relied on: in the real mix many rows share one (it is the image's), some ids are
numbers, and nothing that training makes is keyed by them. Questions of a benchmark, whose ids identify
answers, must be unique (`paretoken.evaluate.questions`).
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

#: What is read of a row and of a turn, with what it holds.
IMAGE_KEY = {"image": "the path of one image"}
ROW_KEYS = {**IMAGE_KEY, "conversations": "[{from, value}, ...]"}
TURN_KEYS = {"from": f"{ASKS!r} or {ANSWERS!r}", "value": "the text"}


class BadRowError(ValueError):
    """One row of a data set that cannot be used; the message says why."""


def require_keys(
    row: Mapping[str, Any], known: Mapping[str, str], where: str = "it", doubles: bool = True
) -> None:
    """Raise `BadRowError` for keys that look like known ones; arguments as of `key_problems`."""
    problems = list(key_problems(row, known, where, doubles))
    if problems:
        raise BadRowError("; ".join(problems))


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
            skips.add(f"row {number} (id {shown(row.get('id'))})", str(error))
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
        BadRowError: a key is misspelt, roles do not alternate, a turn is empty or no text, or image and
            place of the image do not match.
    """
    require_keys(row, ROW_KEYS)
    turns = _turns(row.get("conversations"))
    image = image_name(row.get("image"))
    places = [index for index, text in enumerate(turns) for _ in range(text.count(IMAGE_TEXT))]
    if image is None and places:
        raise BadRowError(f"a turn contains {IMAGE_TEXT}, but the row names no image")
    if image is not None:
        if len(places) > 1 or any(place % 2 for place in places):
            raise BadRowError(f"{IMAGE_TEXT} must stand once, in a human turn")
        named = {f"turn {number}": text for number, text in enumerate(turns, start=1)}
        answers = {name: named.pop(name) for name in list(named)[1::2]}
        if problem := spelling_problem(named, answers):
            raise BadRowError(problem)
        place = places[0] if places else 0
        text = turns[place].replace(IMAGE_TEXT, "").strip()
        turns[place] = f"{IMAGE_TEXT}\n{text}".strip()
    return Conversation(_id(row.get("id", "")), image, tuple(turns))


def _id(value: Any) -> str:
    """Return an id as text; of a list or an object, which real ones are not, the start."""
    return value if isinstance(value, str) else shown(value)


def row_image(row: Mapping[str, Any]) -> str | None:
    """Return the name of the image of any row that may have one, None without.

    Raises:
        BadRowError: it is not a usable name, or its key is misspelt.
    """
    require_keys(row, IMAGE_KEY)
    return image_name(row.get("image"))


def image_name(value: Any) -> str | None:
    """Return the name of a row's image: its path, or what `stored_name` calls one that the row holds.

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
        raise BadRowError(f"{place} is an empty {kind}; write its text, or take the turn out")
    return whole_text(text.strip(), place)
