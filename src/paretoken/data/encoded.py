"""A tokenized data set on disk: memory-mapped, made once, shared by all cells of one tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.data.conversations import Conversation
from paretoken.data.labels import EncodedConversation
from paretoken.errors import UserError
from paretoken.files import read_json, sha256, write_json
from paretoken.folders import replacing_folder

ARRAYS = ("ids", "learned", "offsets", "images")
INDEX = "index.json"


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
    """

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    images: NDArray[np.int32]
    image_names: list[str]
    image_token_id: int
    template: str
    fingerprint: str

    def __len__(self) -> int:
        return len(self.images)

    def lengths(self, visual_tokens: int) -> NDArray[np.int64]:
        """Return the length of each conversation when an image is ``visual_tokens`` long."""
        return np.diff(self.offsets) + np.where(self.images >= 0, visual_tokens - 1, 0)


def write_encoded(
    path: Path,
    conversations: Sequence[Conversation],
    encoded: Sequence[EncodedConversation],
    image_token_id: int,
    record: dict[str, Any],
) -> None:
    """Write a tokenized data set atomically.

    Args:
        path: folder to write.
        conversations: what was tokenized.
        encoded: their tokens, in the same order.
        image_token_id: the placeholder's id.
        record: what else to store: tokenizer, template, skipped rows.
    """
    names = list(dict.fromkeys(c.image for c in conversations if c.image is not None))
    number = {name: i for i, name in enumerate(names)}
    arrays = {
        "ids": np.concatenate([e.ids for e in encoded]),
        "learned": np.concatenate([e.learned for e in encoded]),
        "offsets": np.cumsum([0, *(len(e.ids) for e in encoded)], dtype=np.int64),
        "images": np.array(
            [-1 if c.image is None else number[c.image] for c in conversations], np.int32
        ),
    }
    with replacing_folder(path) as folder:
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        hashes = {name: sha256(folder / f"{name}.npy") for name in arrays}
        content = {**record, "image_token_id": image_token_id, "images": names, "sha256": hashes}
        write_json(folder / INDEX, content)


def read_encoded(path: Path) -> EncodedSet:
    """Open a tokenized data set, memory-mapped.

    Raises:
        UserError: it is missing or damaged.
    """
    if not (path / INDEX).exists():
        raise UserError(f"{path} is no tokenized data set; make one with `paretoken tokenize`")
    index = read_json(path / INDEX)
    arrays = {}
    for name in ARRAYS:
        try:
            arrays[name] = np.load(path / f"{name}.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path / name}.npy is missing or damaged: {error}; run `paretoken tokenize` again"
            ) from error
    return EncodedSet(
        **arrays,
        image_names=index["images"],
        image_token_id=index["image_token_id"],
        template=index.get("template", "chat"),
        fingerprint=sha256(path / INDEX),
    )
