"""A tokenized data set on disk: memory-mapped, made once, shared by all cells of one tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from paretoken.data.conversations import Conversation
from paretoken.data.labels import EncodedConversation
from paretoken.errors import UserError
from paretoken.files import read_object, sha256, write_json
from paretoken.folders import replacing_folder

ARRAYS = ("ids", "learned", "offsets", "images")
#: What only a compressor that reads the question needs; sets of before have none.
QUESTION_ARRAYS = ("question_ids", "question_offsets")
INDEX = "index.json"

#: Tokens that are looked at at once where all of them are.
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
        template: how conversations were rendered.
        fingerprint: hash of the content.
        question_ids: (question tokens,) int32, the first turns alone; None in a set of before.
        question_offsets: (conversations + 1,) int64, where each of them starts.
        vocabulary: what identifies the tokenizer's vocabulary; None in a set of before.
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
        """Return at which token of a conversation its image stands.

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
        parts = (self.ids[start : start + CHUNK] for start in range(0, len(self.ids), CHUNK))
        return max(int(np.where(ids == self.image_token_id, 0, ids).max()) for ids in parts)

    def question(self, number: int) -> list[int]:
        """Return the ids of a conversation's first question alone.

        Raises:
            UserError: the set was made without them.
        """
        if self.question_ids is None or self.question_offsets is None:
            raise UserError(
                "this tokenized data set has no questions apart, which quecc reads; delete its folder "
                "and run `paretoken tokenize` again"
            )
        start, end = self.question_offsets[number], self.question_offsets[number + 1]
        found: list[int] = self.question_ids[start:end].tolist()
        return found

    def __len__(self) -> int:
        return len(self.images)

    def lengths(self, visual_tokens: int) -> NDArray[np.int64]:
        """Return the length of each conversation when an image is ``visual_tokens`` long."""
        return np.diff(self.offsets) + np.where(self.images >= 0, visual_tokens - 1, 0)


class EncodedWriter:
    """Writes a tokenized data set part by part: what is in memory is one part and the offsets.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ids = GrowingArray(folder / "ids.npy", np.dtype(np.int32))
        self._learned = GrowingArray(folder / "learned.npy", np.dtype(np.bool_))
        self._questions = GrowingArray(folder / "question_ids.npy", np.dtype(np.int32))
        self._question_lengths: list[NDArray[np.int64]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._images: list[NDArray[np.int32]] = []
        self._numbers: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ids.abandon()
        self._learned.abandon()
        self._questions.abandon()

    @property
    def tokens(self) -> int:
        """How many tokens were added."""
        return self._ids.length

    def add(self, conversations: Sequence[Conversation], encoded: Sequence[EncodedConversation]) -> None:
        """Append conversations and their tokens, in the same order."""
        if not conversations:
            return
        self._ids.append(np.concatenate([e.ids for e in encoded]))
        self._learned.append(np.concatenate([e.learned for e in encoded]))
        self._questions.append(np.concatenate([e.question for e in encoded]))
        self._question_lengths.append(np.array([len(e.question) for e in encoded], np.int64))
        self._lengths.append(np.array([len(e.ids) for e in encoded], np.int64))
        numbers = [-1 if c.image is None else self._number(c.image) for c in conversations]
        self._images.append(np.array(numbers, np.int32))

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def finish(self, image_token_id: int, record: dict[str, Any]) -> None:
        """Write what remains; the index comes last.

        Args:
            image_token_id: the placeholder's id.
            record: what else to store: key, template, skipped rows.

        Raises:
            UserError: nothing was added.
        """
        if not self._lengths:
            raise UserError("there is no conversation to store")
        self._ids.finish()
        self._learned.finish()
        self._questions.finish()
        np.save(self.folder / "offsets.npy", _starts(self._lengths))
        np.save(self.folder / "question_offsets.npy", _starts(self._question_lengths))
        np.save(self.folder / "images.npy", np.concatenate(self._images))
        hashes = {name: sha256(self.folder / f"{name}.npy") for name in (*ARRAYS, *QUESTION_ARRAYS)}
        content = {**record, "image_token_id": image_token_id, "images": list(self._numbers)}
        write_json(self.folder / INDEX, {**content, "sha256": hashes})


def _starts(lengths: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    starts: NDArray[np.int64] = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
    return starts


class GrowingArray:
    """A ``.npy`` file of one dimension that is written from front to back.

    Args:
        path: the file.
        dtype: of its elements.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.path, self.dtype, self.length = path, dtype, 0
        self._stream = path.open("wb")
        self._header()
        self._start = self._stream.tell()

    def append(self, values: NDArray[Any]) -> None:
        """Write more elements."""
        self._stream.write(np.ascontiguousarray(values, self.dtype).data)
        self.length += len(values)

    def abandon(self) -> None:
        """Close the file as it is."""
        self._stream.close()

    def finish(self) -> None:
        """Write the final length into the header, for which numpy leaves room, and close the file."""
        self._stream.seek(0)
        self._header()
        if self._stream.tell() != self._start:
            raise RuntimeError("numpy's header of a longer array is longer")
        self._stream.close()

    def _header(self) -> None:
        description = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": description, "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self._stream, header)


def write_encoded(
    path: Path,
    conversations: Sequence[Conversation],
    encoded: Sequence[EncodedConversation],
    image_token_id: int,
    record: dict[str, Any],
) -> None:
    """Write a tokenized data set atomically, at once (see `EncodedWriter` for large ones).

    Args:
        path: folder to write.
        conversations: what was tokenized.
        encoded: their tokens, in the same order.
        image_token_id: the placeholder's id.
        record: what else to store: tokenizer, template, skipped rows.
    """
    with replacing_folder(path) as folder, EncodedWriter(folder) as writer:
        writer.add(conversations, encoded)
        writer.finish(image_token_id, record)


def read_encoded(path: Path) -> EncodedSet:
    """Open a tokenized data set, memory-mapped.

    Raises:
        UserError: it is missing or damaged.
    """
    if not (path / INDEX).exists():
        raise UserError(f"{path} is no tokenized data set; make one with `paretoken tokenize`")
    index = read_object(path / INDEX)
    if lacking := {"images", "image_token_id"} - index.keys():
        raise UserError(f"{path / INDEX} has no {min(lacking)!r}; run `paretoken tokenize` again")
    arrays = {}
    asked = [name for name in QUESTION_ARRAYS if (path / f"{name}.npy").exists()]
    for name in (*ARRAYS, *asked):
        try:
            arrays[name] = np.load(path / f"{name}.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise UserError(_damaged(path / f"{name}.npy", error)) from error
    _require_whole(path, index.get("sha256"))
    return EncodedSet(
        **arrays,
        image_names=index["images"],
        image_token_id=index["image_token_id"],
        template=index.get("template", "chat"),
        fingerprint=sha256(path / INDEX),
        vocabulary=index.get("vocabulary"),
    )


def _require_whole(path: Path, hashes: Any) -> None:
    """Raise `UserError` unless the arrays have the hashes that were stored when they were written."""
    for name, expected in hashes.items() if isinstance(hashes, dict) else ():
        array = path / f"{name}.npy"
        if name not in (*ARRAYS, *QUESTION_ARRAYS) or sha256(array) != expected:
            raise UserError(_damaged(array, "it is not what was written"))


def _damaged(array: Path, reason: object) -> str:
    return f"{array} is missing or damaged: {reason}; run `paretoken tokenize` again"
