"""Detecting misspelt keys of a row, whose values would otherwise be ignored silently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import islice
from typing import Any

from paretoken.data.picture_keys import is_picture_property, picture_key
from paretoken.io.escape import shown

#: Known key -> names of the same key in other formats.
ALIASES = {
    "image": (
        "img",
        "imgs",
        "image_id",
        "image_path",
        "image_paths",
        "image_file",
        "image_files",
        "image_name",
        "image_list",
        "image_url",
        "file_name",
        "picture",
        "pictures",
        "photo",
        "photos",
        "photo_url",
        "video",
        "videos",
        "media",
        "jpg",
        "png",
        "pixel_values",
    ),
    "conversations": (
        "messages",
        "conv",
        "convs",
        "dialog",
        "dialogs",
        "dialogue",
        "dialogues",
        "turns",
        "chat",
        "caption",
        "captions",
        "text",
        "texts",
    ),
    "from": ("role", "speaker", "author", "sender"),
    "value": ("content", "contents", "text", "message"),
    "question_id": ("id", "qid"),
    "question": ("text", "query"),
    "prompt": ("text", "query", "question", "instruction"),
    "answer": ("ground_truth", "label", "gt"),
}

#: Least similarity of a misspelt key, 0 to 1: two letters swapped, a letter too many or too few.
ALIKE = 0.75
#: Most characters of a key that is checked, and most keys of a row that are compared letter by letter.
LONGEST_KEY, MOST_COMPARED = 100, 50
#: Suffixes of keys for a property of another key, such as `conversation_id`.
ABOUT = ("id", "type", "size")

#: Names of Python's types in JSON.
KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    dict: "an object",
    list: "a list",
    tuple: "a list",
    type(None): "null",
}


def kind_of(value: Any) -> str:
    """Return the type of a row's value in words: a number, a list, null."""
    return KINDS.get(type(value), type(value).__name__)


def key_problems(
    row: Mapping[str, Any], known: Mapping[str, str], where: str = "it", doubles: bool = True
) -> Iterator[str]:
    """Yield problems with the keys of a row: a key that looks like a known one, which the row lacks.

    If ``image`` is a known key, so does one that seems to hold a picture (see `picture_key`). Other keys
    are allowed, since data sets have columns of their own; so are keys without a value, which every row
    of a Parquet file has.

    Args:
        row: the row to check.
        known: the keys that are read, with what they hold.
        where: what to call the row in the message.
        doubles: whether a second spelling of an existing key is a problem, too (VQA's rows have
            ``answer`` and ``answers``).
    """
    others = [key for key, value in row.items() if _unknown(key, value, known)]
    for name, holds in known.items() if others else ():
        if _empty(row.get(name)):
            nearest = _nearest_image(row, others) if name == "image" else _nearest(others, name)
            if nearest is not None:
                yield f"{where} has the unknown key {shown(nearest)}; write {name!r} ({holds})"
        elif doubles:
            twice = next((key for key in others if _stem(key) == _stem(name)), None)
            if twice is not None:
                yield f"{where} has both {name!r} and {shown(twice)}; write {name!r} only"


def _unknown(key: str, value: Any, known: Mapping[str, str]) -> bool:
    return key not in known and len(key) <= LONGEST_KEY and not _empty(value)


def _nearest_image(row: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """Return the key that is most like ``image``, or else one that seems to hold a picture."""
    nearest = _nearest([key for key in keys if not is_picture_property(key, row[key])], "image")
    return nearest or picture_key({key: row[key] for key in keys})


def _nearest(keys: Sequence[str], name: str) -> str | None:
    """Return the key that is most like a known one; None if none is similar.

    The time is linear in the number of keys, whatever they are: only some are compared letter by letter.
    """
    same = next((key for key in keys if _same(key, name)), None)
    if same is not None:
        return same
    compared = list(islice((key for key in keys if _may_be_alike(key, name)), MOST_COMPARED))
    nearest = max(compared, key=lambda key: _likeness(key, name), default=None)
    return nearest if nearest is not None and _likeness(nearest, name) >= ALIKE else None


def _same(key: str, name: str) -> bool:
    """Whether a key is a known one in another spelling, or its name in other formats."""
    return _stem(key) == _stem(name) or _letters(key) in _others(name)


def _may_be_alike(key: str, name: str) -> bool:
    """Whether enough letters of a key appear in a known one, in any order."""
    letters, wanted = _letters(key), _letters(name)
    if letters.endswith(ABOUT) and not wanted.endswith(ABOUT):
        return False
    foreign = len(letters.translate(_deleting(name)))
    common = min(len(letters) - foreign, len(wanted))
    return 2 * common >= ALIKE * (len(letters) + len(wanted))


@lru_cache(maxsize=4096)
def _likeness(key: str, name: str) -> float:
    """Return how much a key looks like a known one, 0 to 1."""
    return SequenceMatcher(None, _letters(key), _letters(name)).ratio()


@lru_cache
def _others(name: str) -> frozenset[str]:
    return frozenset(map(_letters, ALIASES.get(name, ())))


@lru_cache
def _deleting(name: str) -> dict[int, None]:
    """Return a table that deletes a known key's letters from a text."""
    return dict.fromkeys(map(ord, _letters(name)))


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


@lru_cache(maxsize=4096)
def _letters(key: str) -> str:
    return "".join(filter(str.isalnum, key)).casefold()


def _stem(key: str) -> str:
    return _letters(key).removesuffix("s")
