"""Writing a tokenized data set part by part, in little memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from paretoken.data.conversations import Conversation
from paretoken.data.encoded import ARRAYS, INDEX, QUESTION_ARRAYS
from paretoken.data.labels import EncodedConversation
from paretoken.errors import UserError
from paretoken.io.files import sha256, write_json
from paretoken.io.folders import replacing_folder


class EncodedWriter:
    """A writer of a tokenized data set, which holds one part and the offsets in memory.

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
            record: other values to store: key, template, skipped rows.

        Raises:
            UserError: nothing was added.
        """
        if not self._lengths:
            raise UserError("there are no conversations to store; all were left out or bad")
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
    """A one-dimensional ``.npy`` file to which elements are appended.

    Args:
        path: the file.
        dtype: type of its elements.
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
        """Write the final length into the header, in which numpy leaves room, and close the file."""
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
        conversations: the conversations.
        encoded: their tokens, in the same order.
        image_token_id: the placeholder's id.
        record: other values to store: tokenizer, template, skipped rows.
    """
    with replacing_folder(path) as folder, EncodedWriter(folder) as writer:
        writer.add(conversations, encoded)
        writer.finish(image_token_id, record)
