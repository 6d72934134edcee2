"""From conversation numbers to padded tensors with their visual features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretoken.data.encoded import EncodedSet
from paretoken.errors import UserError

IGNORED = -100


class VisualStore(Protocol):
    """Where the images of a data set come from: precomputed features, or pixels."""

    #: The argument of `ParetokenModel.forward` that `gather` makes.
    argument: str

    def locate(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of images (`UserError` for one that is missing)."""

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the features or pixels of ``rows``."""


class TrainingCollator:
    """Makes training batches: padded on the right, images expanded to V placeholders.

    No attention mask is made: padding stands behind everything it could disturb, and without a mask
    attention takes its fast causal path.

    Args:
        data: tokenized conversations.
        visual: features or pixels; None with ``visual_tokens`` = 0.
        visual_tokens: V.
        pad_id: id written into the padding (never seen by the loss).
        max_length: longer conversations are cut, in tokens with their image expanded.

    Raises:
        UserError: an image of the data is not in the store, or V fills ``max_length``.
    """

    def __init__(
        self,
        data: EncodedSet,
        visual: VisualStore | None,
        visual_tokens: int,
        pad_id: int,
        max_length: int,
    ) -> None:
        if visual_tokens >= max_length:
            raise UserError(
                f"{visual_tokens} visual tokens leave no room for text in max_length = {max_length}"
            )
        self.data, self.visual, self.pad_id = data, visual, pad_id
        self.visual_tokens, self.max_length = visual_tokens, max_length
        self.lengths = np.minimum(data.lengths(visual_tokens), max_length)
        needed = visual is not None and visual_tokens > 0 and len(data.image_names) > 0
        self.rows = visual.locate(data.image_names) if visual is not None and needed else None

    def __call__(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return ``input_ids``, ``labels`` (batch, length) and what the images need."""
        length = int(max(self.lengths[i] for i in numbers))
        ids = np.full((len(numbers), length), self.pad_id, np.int64)
        labels = np.full((len(numbers), length), IGNORED, np.int64)
        for row, number in enumerate(numbers):
            tokens, learned = self.expanded(number)
            ids[row, : len(tokens)] = tokens
            labels[row, : len(tokens)][learned] = tokens[learned]
        batch: dict[str, Any] = {
            "input_ids": torch.from_numpy(ids),
            "labels": torch.from_numpy(labels),
        }
        return batch | self.images(self.data.images[list(numbers)])

    def expanded(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return ids and learned mask of a conversation, its image V placeholders long."""
        data = self.data
        start, end = data.offsets[number], data.offsets[number + 1]
        ids, learned = data.ids[start:end], data.learned[start:end]
        if data.images[number] >= 0:
            place = int(np.flatnonzero(ids == data.image_token_id)[0])
            ids = expand(ids, place, self.visual_tokens)
            learned = expand(learned, place, self.visual_tokens)
        return ids[: self.max_length], learned[: self.max_length]

    def images(self, images: NDArray[np.int32]) -> dict[str, Tensor]:
        """Return the images of a batch, each once, and which row uses which."""
        used = images[images >= 0]
        if self.visual is None or self.rows is None or not len(used):
            return {}
        unique, index = np.unique(used, return_inverse=True)
        return {
            self.visual.argument: self.visual.gather(self.rows[unique]),
            "image_index": torch.from_numpy(index.astype(np.int64)),
        }


def expand(tokens: NDArray[Any], place: int, count: int) -> NDArray[Any]:
    """Return ``tokens`` with the one at ``place`` repeated ``count`` times (0: removed)."""
    repeated = np.repeat(tokens[place : place + 1], count)
    return np.concatenate([tokens[:place], repeated, tokens[place + 1 :]])


def pad_left(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Return ids (batch, length) padded on the left, as generation needs, and their mask."""
    length = max(len(row) for row in rows)
    ids = torch.full((len(rows), length), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, length - len(row) :] = torch.as_tensor(row)
        mask[number, length - len(row) :] = 1
    return ids, mask
