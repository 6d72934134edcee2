"""Keys of a row: a misspelt one would be passed over in silence, and with it what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

#: Known key -> what other formats call it.
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

#: How alike a misspelt key is, 0 to 1: two letters that changed places, a letter too many or too few.
ALIKE = 0.75
#: How keys end that say something about another one, such as `conversation_id`.
ABOUT = ("id", "type", "size")

#: What Python's types are called in JSON.
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
    """Return in words what a value of a row is: a number, a list, null."""
    return KINDS.get(type(value), type(value).__name__)


def key_problems(
    row: Mapping[str, Any], known: Mapping[str, str], where: str = "it", doubles: bool = True
) -> Iterator[str]:
    """Yield what is wrong with the keys of a row: that one looks like another, which the row lacks.

    Other keys pass, since data sets have columns of their own; so do keys without a value, which every
    row of a Parquet file has.

    Args:
        row: to look at.
        known: the keys that are read, with what they hold.
        where: what to call the row in the message.
        doubles: whether a second spelling of a key that is there is a problem, too (VQA's rows have
            ``answer`` and ``answers``).
    """
    others = [key for key, value in row.items() if key not in known and not _empty(value)]
    for name, holds in known.items() if others else ():
        nearest = max(others, key=lambda key: alike(key, name))
        if not _empty(row.get(name)):
            twice = next((key for key in others if doubles and _stem(key) == _stem(name)), None)
            if twice:
                yield f"{where} has both {name!r} and {twice!r}; write {name!r} only"
        elif alike(nearest, name) >= ALIKE:
            yield f"{where} has the unknown key {nearest!r}; write {name!r} ({holds})"


@lru_cache(maxsize=4096)
def alike(key: str, name: str) -> float:
    """Return how much an unknown key looks like a known one, 0 to 1."""
    letters = _letters(key)
    if letters in map(_letters, ALIASES.get(name, ())) or _stem(key) == _stem(name):
        return 1.0
    if letters.endswith(ABOUT) and not _letters(name).endswith(ABOUT):
        return 0.0
    return SequenceMatcher(None, letters, _letters(name)).ratio()


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _letters(key: str) -> str:
    return "".join(filter(str.isalnum, key)).casefold()


def _stem(key: str) -> str:
    return _letters(key).removesuffix("s")
