"""Tokenized data sets on disk: memory-mapped, made once, shared by all cells with one tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.errors import UserError
from paretoken.io.files import read_object, sha256
from paretoken.io.npy_files import open_array

ARRAYS = ("ids", "learned", "offsets", "images")
#: Arrays that only a compressor that reads the question needs; older data sets have none.
QUESTION_ARRAYS = ("question_ids", "question_offsets")
INDEX = "index.json"

#: Types of the arrays; each has one dimension.
TYPES = {
    "ids": np.int32,
    "learned": np.bool_,
    "offsets": np.int64,
    "images": np.int32,
    "question_ids": np.int32,
    "question_offsets": np.int64,
}
#: Advice for damaged data sets.
AGAIN = "run `paretoken tokenize` again"

#: Tokens that are checked at a time.
CHUNK = 1 << 24


@dataclass(frozen=True)
class EncodedSet:
    """Tokenized conversations, one after the other.

    Attributes:
        ids: (tokens,) int32, each image one `image_token_id`.
        learned: (tokens,) bool, True where there is a loss.
        offsets: (conversations + 1,) int64, where each conversation starts.
        images: (conversations,) int32, index in ``image_names``; negative without an image.
        image_names: names of the images.
        image_token_id: the placeholder.
        template: name of the template that rendered the conversations.
        fingerprint: hash of the content.
        question_ids: (question tokens,) int32, the first turns alone; None in an older data set.
        question_offsets: (conversations + 1,) int64, where each of them starts.
        vocabulary: hash of the tokenizer's vocabulary; None in an older data set.
    """

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    images: NDArray[np.int32]
    image_names: list[str]
    image_token_id: int
    template: str
    fingerprint: str
    question_ids: NDArray[np.int32] | None = None
    question_offsets: NDArray[np.int64] | None = None
    vocabulary: str | None = None

    def image_place(self, number: int) -> int:
        """Return the index of the image's placeholder in a conversation.

        Raises:
            UserError: the conversation names an image, but has no placeholder for it.
        """
        ids = self.ids[self.offsets[number] : self.offsets[number + 1]]
        places = np.flatnonzero(ids == self.image_token_id)
        if not len(places):
            raise UserError(
                f"conversation {number + 1} of the tokenized data set names an image, but has no "
                f"placeholder (token {self.image_token_id}); run `paretoken tokenize` again"
            )
        return int(places[0])

    def largest_id(self) -> int:
        """Return the largest id besides the placeholder's, which is never embedded."""
        token = self.image_token_id
        return max((int(np.where(ids == token, 0, ids).max()) for ids in _chunks(self.ids)), default=0)

    def question(self, number: int) -> list[int]:
        """Return the ids of a conversation's first question alone.

        Raises:
            UserError: the data set was made without them.
        """
        if self.question_ids is None or self.question_offsets is None:
            raise UserError(
                "this tokenized data set has no separate questions, which quecc reads; delete its "
                "folder and run `paretoken tokenize` again"
            )
        start, end = self.question_offsets[number], self.question_offsets[number + 1]
        found: list[int] = self.question_ids[start:end].tolist()
        return found

    def __len__(self) -> int:
        return len(self.images)

    def lengths(self, visual_tokens: int) -> NDArray[np.int64]:
        """Return the length of each conversation when an image is ``visual_tokens`` long."""
        return np.diff(self.offsets) + np.where(self.images >= 0, visual_tokens - 1, 0)


def read_encoded(path: Path) -> EncodedSet:
    """Open a tokenized data set, memory-mapped.

    Raises:
        UserError: it is missing or damaged, or its arrays do not fit each other.
    """
    if not (path / INDEX).exists():
        raise UserError(f"{path} is not a tokenized data set; make one with `paretoken tokenize`")
    index = _read_index(path / INDEX)
    asked = [name for name in QUESTION_ARRAYS if (path / f"{name}.npy").exists()]
    arrays = {
        name: open_array(path / f"{name}.npy", TYPES[name], 1, AGAIN) for name in (*ARRAYS, *asked)
    }
    _require_whole(path, index.get("sha256"))
    if len(asked) == 1:
        raise UserError(f"{path} has {asked[0]}.npy without the other of the two; {AGAIN}")
    found = EncodedSet(
        **arrays,
        image_names=index["images"],
        image_token_id=index["image_token_id"],
        template=index.get("template", "chat"),
        fingerprint=sha256(path / INDEX),
        vocabulary=index.get("vocabulary"),
    )
    for problem in _problems(found):
        raise UserError(f"{path} is damaged: {problem}; {AGAIN}")
    return found


def _read_index(path: Path) -> dict[str, Any]:
    """Return the content of the index, with validated types."""
    index = read_object(path)
    if lacking := {"images", "image_token_id"} - index.keys():
        raise UserError(f"{path} has no {min(lacking)!r}; {AGAIN}")
    names, token = index["images"], index["image_token_id"]
    usable = {
        "images": isinstance(names, list) and all(isinstance(name, str) for name in names),
        "image_token_id": type(token) is int and 0 <= token < 2**31,
        "template": isinstance(index.get("template", ""), str),
        "vocabulary": isinstance(index.get("vocabulary"), str | None),
        "sha256": isinstance(index.get("sha256"), dict | None),
    }
    for key, good in usable.items():
        if not good:
            raise UserError(f"{path} has an invalid value of {key!r}; {AGAIN}")
    return index


def _problems(data: EncodedSet) -> Iterator[str]:
    """Yield the ways in which arrays do not fit each other."""
    if not len(data):
        yield "it has no conversations"
    yield from _bad_offsets("offsets", data.offsets, len(data), data.ids)
    if data.question_ids is not None and data.question_offsets is not None:
        yield from _bad_offsets("question_offsets", data.question_offsets, len(data), data.question_ids)
    if len(data.learned) != len(data.ids):
        yield f"{len(data.ids):,} tokens, but {len(data.learned):,} marks whether they are learned"
    if len(data) and int(data.images.max()) >= len(data.image_names):
        yield f"a conversation has image {data.images.max()} of {len(data.image_names)}"


def _bad_offsets(
    name: str, offsets: NDArray[np.int64], count: int, ids: NDArray[np.int32]
) -> Iterator[str]:
    if len(offsets) != count + 1:
        yield f"{name} has {len(offsets):,} entries for {count:,} conversations"
    elif offsets[0] != 0 or offsets[-1] != len(ids) or (offsets[1:] < offsets[:-1]).any():
        yield f"{name} does not increase from 0 to {len(ids):,}, the number of tokens"
    if any(chunk.min() < 0 for chunk in _chunks(ids)):
        yield "a token's id is negative"


def _chunks(ids: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def _require_whole(path: Path, hashes: dict[str, Any] | None) -> None:
    """Raise `UserError` unless the arrays have the hashes that were stored when they were written."""
    for name, expected in (hashes or {}).items():
        array = path / f"{name}.npy"
        if name not in TYPES or sha256(array) != expected:
            raise UserError(f"{array} is damaged: its SHA-256 has changed since it was written; {AGAIN}")
