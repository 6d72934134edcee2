"""From conversation numbers to padded or packed tensors with their visual features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
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
        counts: (conversations, showings) tokens of each showing of a conversation, for elastic models:
            it stands in the batch once for each; None: once, with V.
        ask: whether the batch holds the questions, for a compressor that reads them.
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
        counts: NDArray[np.int64] | None = None,
        ask: bool = False,
    ) -> None:
        if visual_tokens >= max_length:
            raise UserError(
                f"{visual_tokens} visual tokens leave no room for text in max_length = {max_length}"
            )
        self.data, self.visual, self.pad_id = data, visual, pad_id
        self.visual_tokens, self.max_length, self.packing = visual_tokens, max_length, packing
        self.elastic, self.ask = counts is not None, ask and visual_tokens > 0
        self.counts = np.full((len(data), 1), visual_tokens) if counts is None else counts
        #: (conversations, showings) tokens of each, and (conversations,) of all showings together.
        self.showings = np.minimum(data.lengths(0)[:, None] + self._shown(), max_length)
        self.lengths: NDArray[np.int64] = self.showings.sum(1)
        needed = visual is not None and visual_tokens > 0 and len(data.image_names) > 0
        self.rows = visual.locate(data.image_names) if visual is not None and needed else None

    @cached_property
    def learned(self) -> NDArray[np.int64]:
        """Tokens with a loss of each conversation (conversations,), in one of its showings."""
        ends = np.concatenate([[0], np.cumsum(self.data.learned)])
        counts: NDArray[np.int64] = ends[self.data.offsets[1:]] - ends[self.data.offsets[:-1]]
        shown: NDArray[np.int64] = np.minimum(counts, self.showings.max(1))
        return shown

    def _shown(self) -> NDArray[np.int64]:
        """Return the visual tokens of each showing: 0 without an image."""
        return np.where(self.data.images[:, None] >= 0, self.counts, 0)

    def __call__(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return ``input_ids``, ``labels`` (batch, length) and what the images and packing need."""
        rows = self.layout(numbers)
        length = max(self.tokens_of(row) for row in rows)
        ids = np.full((len(rows), length), self.pad_id, np.int64)
        labels = np.full((len(rows), length), IGNORED, np.int64)
        positions = np.tile(np.arange(length), (len(rows), 1))
        for row, members in enumerate(rows):
            start = 0
            for showing in members:
                tokens, learned = self.expanded(showing)
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
            batch |= flash_arguments(self.showings.ravel()[rows[0]])
        return batch | self.images([showing for row in rows for showing in row])

    def layout(self, numbers: Sequence[int]) -> list[list[int]]:
        """Return which showings stand in which row, in which order.

        Showing k of conversation c is number c * showings + k: the conversation's own, if each is
        shown once.
        """
        each = self.counts.shape[1]
        showings = [number * each + k for number in numbers for k in range(each)]
        if self.packing == "rows":
            return rows_of(showings, self.showings.ravel())
        return [showings] if self.packing == "flat" else [[showing] for showing in showings]

    def tokens_of(self, row: Sequence[int]) -> int:
        """Return the tokens of a row's showings together."""
        return int(self.showings.ravel()[row].sum())

    def expanded(self, showing: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return ids and learned mask of a showing, its image as many placeholders long as it says."""
        data, number = self.data, showing // self.counts.shape[1]
        start, end = data.offsets[number], data.offsets[number + 1]
        ids, learned = data.ids[start:end], data.learned[start:end]
        if data.images[number] >= 0:
            place, count = int(np.flatnonzero(ids == data.image_token_id)[0]), self._count(showing)
            ids, learned = expand(ids, place, count), expand(learned, place, count)
        return ids[: self.max_length], learned[: self.max_length]

    def _count(self, showing: int) -> int:
        return int(self.counts.ravel()[showing])

    def images(self, showings: Sequence[int]) -> dict[str, Tensor]:
        """Return the images of a batch, each once, and which place in reading order shows which.

        With them stand how many tokens each place has, for an elastic model, and the question at each
        place, for a compressor that reads it. A batch without any image gets one that nothing shows:
        the compressor and the projector then take part in every micro batch on every device, without
        which devices would wait for each other's gradients and weights for ever.
        """
        if self.visual is None or self.rows is None:
            return {}
        each, images = self.counts.shape[1], self.data.images
        places = [showing for showing in showings if images[showing // each] >= 0]
        shown = images[[showing // each for showing in places]]
        unique, index = np.unique(shown, return_inverse=True)
        gathered = self.rows[unique if len(unique) else np.zeros(1, np.int64)]
        batch = {
            self.visual.argument: self.visual.gather(gathered),
            "image_index": torch.from_numpy(index.astype(np.int64)),
        }
        if self.elastic:
            batch["token_counts"] = torch.tensor([self._count(p) for p in places], dtype=torch.long)
        if self.ask:
            asked = [self.data.question(p // each) for p in places] or [self.data.question(0)]
            batch["question_ids"], batch["question_mask"] = pad_right(asked)
        return batch


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


def pad_right(rows: Sequence[Sequence[int]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Return ids (batch, length) padded on the right, and their mask."""
    ids, mask = pad_left([row[::-1] for row in rows], pad_id)
    return ids.flip(1), mask.flip(1)


def pad_left(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Return ids (batch, length) padded on the left, as generation needs, and their mask."""
    length = max(len(row) for row in rows)
    ids = torch.full((len(rows), length), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, length - len(row) :] = torch.as_tensor(row)
        mask[number, length - len(row) :] = 1
    return ids, mask
