"""Detecting keys of a row that seem to hold its picture, by the words of their names or by their values.

They are searched only in rows without ``image``, which would otherwise count as rows about text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from paretoken.data.image_formats import SUFFIX, is_encoded_text, suffix_of

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

#: Words for a picture, also with its form of storage in the same word (``imgname``).
_PICTURE = re.compile(
    r"(?:image|img|picture|pic|photo|photograph|screenshot|frame|visual|video|thumbnail|jpe?g|png)s?"
    r"(?:name|path|file|filename|ur[il]|bytes|data|base64|b64|str|list|src)?s?"
)
#: Words for a location of files; values of such keys may contain blanks.
_PLACE = frozenset(("file", "files", "filename", "filepath", "path", "paths", "url", "src", "media"))

#: Words for properties of a picture: such keys do not hold the picture itself.
_ABOUT = frozenset(
    ("size", "sizes", "width", "height", "w", "h", "shape", "area", "resolution", "ratio", "aspect",
     "format", "ext", "extension", "mode", "grid", "thw", "bbox", "bboxes", "box", "boxes", "region",
     "regions", "coordinates", "position", "type", "types", "kind", "style", "domain", "modality",
     "category", "categories", "class", "classes", "label", "labels", "tag", "tags", "topic", "role",
     "source", "origin", "dataset", "set", "split", "subset", "language", "lang", "level", "quality",
     "difficulty", "count", "num", "number", "n", "total", "has", "is", "no", "with", "without",
     "need", "needs", "required", "requires", "caption", "captions", "description", "descriptions",
     "text", "texts", "ocr", "alt", "title", "prompt", "prompts", "question", "questions", "answer",
     "answers", "token", "tokens", "license", "licence", "credit", "credits", "author", "owner",
     "attribution", "hash", "md5", "sha1", "sha256", "phash", "similarity", "score", "scores", "clip",
     "date", "time", "timestamp", "year", "rate", "fps", "duration", "length", "id", "ids", "uid",
     "uuid", "index", "idx", "status", "error", "reasoning", "genome",
     "info", "meta", "metadata", "attribute", "attributes", "annotation", "annotations", "object",
     "objects", "encoder", "model", "version", "query", "instruction")
)  # fmt: skip
_ID = frozenset(("id", "ids", "uid", "uuid"))

#: Entries of a list that are checked, and most characters of a path.
_FIRST, _LONGEST = 8, 1024


def picture_key(row: Mapping[str, Any]) -> str | None:
    """Return the first key that seems to hold a picture; None if there is none.

    A key seems to hold a picture if its name has a word for a picture, such as ``img_path``, unless it
    names a property (``image_size``) or its value is a number or a sentence. So does any key whose value
    is the name of an image file or an encoded image.

    Args:
        row: the keys that are not read, with their values.
    """
    return next((key for key, value in row.items() if _seems_held(key, value)), None)


def is_picture_property(key: str, value: Any) -> bool:
    """Whether a key, however it is spelt, names a property of a picture, such as ``has_image``.

    Ids do not count: the caller decides, since an id may identify a picture that the row does not hold.
    """
    return isinstance(value, bool) or bool(_words(key) & (_ABOUT - _ID))


def _seems_held(key: str, value: Any) -> bool:
    words = _words(key)
    called = any(map(_PICTURE.fullmatch, words))
    if words & _ID and not called:
        return False
    if _is_picture(value, bool(words & _PLACE)):
        return True
    return called and not words & _ABOUT and not _is_statement(value)


@lru_cache(maxsize=4096)
def _words(key: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(key))


def _is_statement(value: Any) -> bool:
    """Whether a value is a number or a sentence, which cannot be a picture."""
    return isinstance(value, bool | int | float) or (isinstance(value, str) and " " in value.strip())


def _is_picture(value: Any, place: bool) -> bool:
    """Whether a value is an encoded image, or has the suffix of an image file."""
    if isinstance(value, bytes):
        return suffix_of(value) is not None
    if isinstance(value, str):
        return is_encoded_text(value) or (len(value) <= _LONGEST and _is_file_name(value.strip(), place))
    if isinstance(value, Mapping):
        return any(_is_picture(value.get(part), True) for part in ("bytes", "path"))
    return isinstance(value, list) and any(_is_picture(each, place) for each in value[:_FIRST])


def _is_file_name(text: str, place: bool) -> bool:
    name = re.split(r"[?#]", text, maxsplit=1)[0] if "://" in text else text
    whole = "\n" not in text if place else not re.search(r"\s", text)
    return whole and SUFFIX.search(name) is not None
