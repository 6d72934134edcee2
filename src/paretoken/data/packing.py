"""Packing conversations into micro batches and rows: pure functions of lengths.

Packing concatenates whole conversations into rows instead of padding each to the longest. A row is never
longer than the longest conversation of its micro batch, so that the quadratic cost of attention is never
higher than with padding.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def balanced(numbers: Sequence[int], lengths: NDArray[np.int64], count: int) -> list[list[int]]:
    """Deal conversations into ``count`` micro batches of similar numbers of tokens.

    Conversations are dealt longest first, each to the micro batch with the fewest tokens so far: none
    stays empty if there are at least ``count`` conversations.

    Args:
        numbers: numbers of the conversations.
        lengths: tokens of every conversation.
        count: micro batches, over all devices and accumulations.
    """
    dealt: list[list[int]] = [[] for _ in range(count)]
    lightest = [(0, place) for place in range(count)]
    for number in _longest_first(numbers, lengths):
        tokens, place = lightest[0]
        dealt[place].append(number)
        heapq.heapreplace(lightest, (tokens + int(lengths[number]), place))
    return dealt


def rows_of(numbers: Sequence[int], lengths: NDArray[np.int64]) -> list[list[int]]:
    """Return rows no longer than the longest conversation (first-fit decreasing)."""
    capacity = max(int(lengths[number]) for number in numbers)
    rows: list[list[int]] = []
    room: list[int] = []
    for number in _longest_first(numbers, lengths):
        length = int(lengths[number])
        fitting = next((row for row, free in enumerate(room) if free >= length), None)
        if fitting is None:
            rows.append([number])
            room.append(capacity - length)
        else:
            rows[fitting].append(number)
            room[fitting] -= length
    return rows


def _longest_first(numbers: Sequence[int], lengths: NDArray[np.int64]) -> list[int]:
    return sorted(numbers, key=lambda number: -int(lengths[number]))  # stable: the order breaks ties
