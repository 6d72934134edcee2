"""Truncating conversations that are longer than a model may read.

A conversation is truncated to ``max_length``, its image counted as V tokens. An image is never cut in
two: if the limit is inside it, the conversation is truncated before it. LLaVA-1.5 truncates after the
image has become V embeddings, through the image if need be. Nothing after a cut image has a loss, and
attention is causal, so that loss and gradients are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.data.encoded import EncodedSet


@dataclass(frozen=True)
class Kept:
    """The parts of conversations that a model reads and learns after truncation.

    A conversation may be shown several times, each time with another number of visual tokens.

    Attributes:
        lengths: (conversations, showings) tokens, the image expanded.
        shown: (conversations, showings) whether its image is read.
        seen: (conversations,) whether its image is read in any of its showings.
        learned: (conversations,) tokens with a loss, of all its showings together.
        uncut: (conversations,) the same without a limit.
        images: (conversations,) whether it has an image that is read, or would be without a limit.
    """

    lengths: NDArray[np.int64]
    shown: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    learned: NDArray[np.int64]
    uncut: NDArray[np.int64]
    images: NDArray[np.bool_]

    def losses(self) -> dict[str, int]:
        """Return how many conversations lose a part of their answers, all of them, or their image."""
        return {
            "part": int(((self.learned < self.uncut) & (self.learned > 0)).sum()),
            "all": int(((self.learned == 0) & (self.uncut > 0)).sum()),
            "image": int((self.images & ~self.seen).sum()),
        }


def truncate(data: EncodedSet, counts: NDArray[np.int64], max_length: int) -> Kept:
    """Return the part of each conversation that fits into ``max_length`` tokens.

    Args:
        data: tokenized conversations.
        counts: (conversations, showings) visual tokens of an image in each showing.
        max_length: the most tokens of a conversation, its image expanded.
    """
    shown = (data.images[:, None] >= 0) & (counts > 0)
    whole = data.lengths(0)[:, None] + np.where(shown, counts, 0)
    images = np.asarray(shown.any(axis=1))
    lengths = np.minimum(whole, max_length)
    for number, showing in np.argwhere((whole > max_length) & shown):
        place = data.image_place(number)
        if place + counts[number, showing] > max_length:
            lengths[number, showing], shown[number, showing] = min(place, max_length), False
    learned = np.add.reduceat(data.learned, data.offsets[:-1], dtype=np.int64)[:, None]
    learned = np.repeat(learned, counts.shape[1], axis=1) - _first(data, counts)
    uncut = learned.sum(1)
    for number, showing in np.argwhere(whole > max_length):
        learned[number, showing] = _learned(
            data, number, int(counts[number, showing]), int(lengths[number, showing])
        )
    seen = np.asarray(shown.any(axis=1))
    return Kept(lengths, shown, seen, learned.sum(1), uncut, images)


def expanded(
    data: EncodedSet, number: int, count: int, length: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return ids and learned mask of a conversation, its image ``count`` placeholders long.

    Args:
        data: tokenized conversations.
        number: number of the conversation.
        count: visual tokens of its image; 0: it is left out.
        length: tokens to keep, see `truncate`.
    """
    start, end = data.offsets[number], data.offsets[number + 1]
    ids, learned = data.ids[start:end], data.learned[start:end]
    if data.images[number] >= 0:
        place = data.image_place(number)
        ids, learned = expand(ids, place, count), expand(learned, place, count)
    return ids[:length], learned[:length]


def expand(tokens: NDArray[Any], place: int, count: int) -> NDArray[Any]:
    """Return ``tokens`` with the one at ``place`` repeated ``count`` times (0: removed)."""
    repeated = np.repeat(tokens[place : place + 1], count)
    return np.concatenate([tokens[:place], repeated, tokens[place + 1 :]])


def _learned(data: EncodedSet, number: int, count: int, length: int) -> int:
    """Return the number of tokens with a loss in a truncated showing: nothing predicts the first one."""
    return int(expanded(data, number, count, length)[1][1:].sum())


def _first(data: EncodedSet, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the first token of each showing is marked as learned; nothing predicts it."""
    starts = data.offsets[:-1]
    first, second = data.learned[starts], data.learned[np.minimum(starts + 1, len(data.ids) - 1)]
    opening = (data.images >= 0) & (data.ids[starts] == data.image_token_id)
    skipped: NDArray[np.bool_] = np.where(
        opening[:, None] & (counts == 0), second[:, None], first[:, None]
    )
    return skipped
