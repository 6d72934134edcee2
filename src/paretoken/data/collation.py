"""Collating conversations into padded or packed tensors with their visual features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretoken.data.encoded import EncodedSet
from paretoken.data.packing import rows_of
from paretoken.data.truncation import expanded, truncate
from paretoken.errors import UserError

IGNORED = -100

Packing = Literal["rows", "flat"]


class VisualStore(Protocol):
    """A source of the images of a data set: precomputed features, or pixels."""

    #: The argument of `ParetokenModel.forward` that `gather` makes.
    argument: str

    def locate(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of images (`UserError` for one that is missing)."""

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the features or pixels of ``rows`` (`UserError` for one that cannot be read)."""

    def read(self, rows: NDArray[np.int64]) -> tuple[Tensor, dict[int, str]]:
        """Return them with blanks for images that cannot be read, and reasons by place in ``rows``."""


class Unread(TypedDict):
    """The losses of a batch: reasons by the names of unreadable images, and the number of labels."""

    images: dict[str, str]
    labels: int


#: Key of a batch's `Unread`, which is removed before the model sees the batch.
UNREAD = "unread"


class TrainingCollator:
    """A collator of training batches: rows padded on the right, images expanded to V placeholders.

    No attention mask is made: padding follows everything that it could affect, and without a mask
    attention uses its fast causal path. If packed, a row holds several conversations, whose
    ``position_ids`` start again at 0, so that attention can separate them.

    An image that cannot be read does not stop a run: it is replaced by a blank one, the labels of its
    conversation are ignored, and the batch reports it (`UNREAD`).

    Args:
        data: tokenized conversations.
        visual: features or pixels; None with ``visual_tokens`` = 0.
        visual_tokens: V.
        pad_id: id written into the padding (never seen by the loss).
        max_length: longer conversations are cut, in tokens with their image expanded, see
            `paretoken.data.truncation`.
        counts: (conversations, showings) visual tokens of each showing of a conversation, for elastic
            models: the batch contains the conversation once for each; None: once, with V.
        ask: whether the batch contains the questions, for a compressor that reads them.
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
        self.kept = truncate(data, self.counts, max_length)
        #: (conversations, showings) tokens of each, and (conversations,) of all showings together.
        self.showings = self.kept.lengths
        self.lengths: NDArray[np.int64] = self.showings.sum(1)
        #: (conversations,) tokens with a loss, of all showings together; whether the image is seen.
        self.learned, self.seen = self.kept.learned, self.kept.seen
        needed = visual is not None and visual_tokens > 0 and len(data.image_names) > 0
        self.rows = visual.locate(data.image_names) if visual is not None and needed else None

    def __call__(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return ``input_ids``, ``labels`` (batch, length) and the tensors of images and packing."""
        rows = self.layout(numbers)
        length = max(self.tokens_of(row) for row in rows)
        ids = np.full((len(rows), length), self.pad_id, np.int64)
        labels = np.full((len(rows), length), IGNORED, np.int64)
        positions = np.tile(np.arange(length), (len(rows), 1))
        images, failed = self.images([showing for row in rows for showing in row])
        lost = 0
        for row, members in enumerate(rows):
            start = 0
            for showing in members:
                tokens, learned = self.expanded(showing)
                end = start + len(tokens)
                ids[row, start:end] = tokens
                # No token predicts the first one: the token before it is of another conversation.
                chosen = np.flatnonzero(learned[1:]) + 1
                if failed and self._image(showing) in failed:
                    lost += len(chosen)
                else:
                    labels[row, start + chosen] = tokens[chosen]
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
        if failed:
            names = {self.data.image_names[image]: reason for image, reason in failed.items()}
            batch[UNREAD] = Unread(images=names, labels=lost)
        return batch | images

    def layout(self, numbers: Sequence[int]) -> list[list[int]]:
        """Return the showings of each row, in order.

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
        """Return ids and learned mask of a showing, truncated, its image expanded to placeholders."""
        number = showing // self.counts.shape[1]
        return expanded(
            self.data, number, int(self.counts.flat[showing]), int(self.showings.flat[showing])
        )

    def question(self, number: int) -> list[int]:
        """Return the ids of a conversation's first question alone, truncated to `max_length`."""
        return self.data.question(number)[: self.max_length]

    def _image(self, showing: int) -> int | None:
        """Return the number of the image that a showing shows; None without one."""
        shown = self.kept.shown.flat[showing]
        return int(self.data.images[showing // self.counts.shape[1]]) if shown else None

    def images(self, showings: Sequence[int]) -> tuple[dict[str, Tensor], dict[int, str]]:
        """Return the images of a batch, each once, and the index of the image at each place.

        Places are in reading order. The number of tokens at each place is added for an elastic model,
        and the question at each place for a compressor that reads it. A batch without any image gets one
        at no place: the compressor and the projector then take part in every micro batch on every
        device. Otherwise devices would wait forever for each other's gradients and weights.

        Returns:
            The tensors by name, and the reasons by number of the images that cannot be read.
        """
        if self.visual is None or self.rows is None:
            return {}, {}
        each = self.counts.shape[1]
        places = [showing for showing in showings if self.kept.shown.flat[showing]]
        shown = self.data.images[[showing // each for showing in places]]
        unique, index = np.unique(shown, return_inverse=True)
        gathered = unique if len(unique) else np.zeros(1, np.int64)
        values, failed = self.visual.read(self.rows[gathered])
        batch = {
            self.visual.argument: values,
            "image_index": torch.from_numpy(index.astype(np.int64)),
        }
        if self.elastic:
            counts = [int(self.counts.flat[place]) for place in places]
            batch["token_counts"] = torch.tensor(counts, dtype=torch.long)
        if self.ask:
            asked = [self.question(p // each) for p in places] or [self.question(0)]
            batch["question_ids"], batch["question_mask"] = pad_right(asked)
        return batch, {int(unique[place]): failed[place] for place in failed if len(unique)}


def flash_arguments(lengths: NDArray[np.int64]) -> dict[str, Any]:
    """Return the boundaries of several conversations in one row, as arguments of FlashAttention."""
    ends = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    longest = int(lengths.max())
    return {
        "cu_seq_lens_q": ends,
        "cu_seq_lens_k": ends,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def pad_right(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return ids (batch, length) padded with 0 on the right, and their mask."""
    ids, mask = pad_left([row[::-1] for row in rows], 0)
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
