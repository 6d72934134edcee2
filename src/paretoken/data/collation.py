"""From conversation numbers to padded or packed tensors with their visual features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretoken.data.encoded import EncodedSet
from paretoken.data.packing import rows_of
from paretoken.errors import UserError

IGNORED = -100

Packing = Literal["rows", "flat"]


class VisualStore(Protocol):
    """Where the images of a data set come from: precomputed features, or pixels."""

    #: The argument of `ParetokenModel.forward` that `gather` makes.
    argument: str

    def locate(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of images (`UserError` for one that is missing)."""

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the features or pixels of ``rows``."""


class TrainingCollator:
    """Makes training batches: rows padded on the right, images expanded to V placeholders.

    No attention mask is made: padding stands behind everything it could disturb, and without a mask
    attention takes its fast causal path. Packed, a row holds several conversations, and their
    ``position_ids``, which start again at 0 with each, tell attention where one ends.

    Args:
        data: tokenized conversations.
        visual: features or pixels; None with ``visual_tokens`` = 0.
        visual_tokens: V.
        pad_id: id written into the padding (never seen by the loss).
        max_length: longer conversations are cut, in tokens with their image expanded.
        packing: ``rows``: several conversations in a row, see `paretoken.data.packing`; ``flat``: all
            in one row without any padding, with what FlashAttention needs to keep them apart; None:
            one conversation per row.

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
        packing: Packing | None = None,
    ) -> None:
        if visual_tokens >= max_length:
            raise UserError(
                f"{visual_tokens} visual tokens leave no room for text in max_length = {max_length}"
            )
        self.data, self.visual, self.pad_id = data, visual, pad_id
        self.visual_tokens, self.max_length, self.packing = visual_tokens, max_length, packing
        self.lengths = np.minimum(data.lengths(visual_tokens), max_length)
        needed = visual is not None and visual_tokens > 0 and len(data.image_names) > 0
        self.rows = visual.locate(data.image_names) if visual is not None and needed else None

    def __call__(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return ``input_ids``, ``labels`` (batch, length) and what the images and packing need."""
        rows = self.layout(numbers)
        length = max(int(self.lengths[row].sum()) for row in rows)
        ids = np.full((len(rows), length), self.pad_id, np.int64)
        labels = np.full((len(rows), length), IGNORED, np.int64)
        positions = np.tile(np.arange(length), (len(rows), 1))
        for row, members in enumerate(rows):
            start = 0
            for number in members:
                tokens, learned = self.expanded(number)
                end = start + len(tokens)
                ids[row, start:end] = tokens
                # No token predicts the first one: what stands before it is another conversation.
                labels[row, start + 1 : end][learned[1:]] = tokens[1:][learned[1:]]
                positions[row, end:] = np.arange(length - end)
                start = end
        batch: dict[str, Any] = {
            "input_ids": torch.from_numpy(ids),
            "labels": torch.from_numpy(labels),
        }
        if self.packing is not None:
            batch["position_ids"] = torch.from_numpy(positions)
        if self.packing == "flat":
            batch |= flash_arguments(self.lengths[rows[0]])
        in_reading_order = [number for row in rows for number in row]
        return batch | self.images(self.data.images[in_reading_order])

    def layout(self, numbers: Sequence[int]) -> list[list[int]]:
        """Return which conversations stand in which row, in which order."""
        if self.packing == "rows":
            return rows_of(numbers, self.lengths)
        return [list(numbers)] if self.packing == "flat" else [[number] for number in numbers]

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
        """Return the images of a batch, each once, and which place in reading order shows which.

        A batch without any gets one that nothing shows: the compressor and the projector then take
        part in every micro batch on every device, without which devices would wait for each other's
        gradients and weights for ever.
        """
        if self.visual is None or self.rows is None:
            return {}
        unique, index = np.unique(images[images >= 0], return_inverse=True)
        shown = unique if len(unique) else np.zeros(1, np.int64)
        return {
            self.visual.argument: self.visual.gather(self.rows[shown]),
            "image_index": torch.from_numpy(index.astype(np.int64)),
        }


def flash_arguments(lengths: NDArray[np.int64]) -> dict[str, Any]:
    """Return where each of several conversations in one row ends, as FlashAttention takes it."""
    ends = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    longest = int(lengths.max())
    return {
        "cu_seq_lens_q": ends, "cu_seq_lens_k": ends, "max_length_q": longest, "max_length_k": longest
    }  # fmt: skip


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
