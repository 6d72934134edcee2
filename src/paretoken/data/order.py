"""The order in which a stage sees its data: a pure function of seed, sizes and lengths.

Nothing is drawn while training, so a killed run resumes with exactly the batch that it would have seen,
and the batches do not depend on the number of devices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretoken.data.packing import balanced
from paretoken.errors import UserError

#: Number of global batches that are sorted by length at a time: enough to save padding, few enough to
#: keep the order random.
GROUP = 50


@dataclass(frozen=True)
class BatchPlan:
    """The split of a global batch over devices and micro batches.

    ``micro_batch`` is the most conversations of a micro batch; packed ones hold fewer if they are long.
    """

    global_batch: int
    micro_batch: int
    accumulation: int
    devices: int

    @property
    def share(self) -> int:
        """Conversations of a step that one device sees."""
        return self.global_batch // self.devices


def plan_batches(global_batch: int, micro_batch: int, devices: int, packing: bool = False) -> BatchPlan:
    """Split a global batch so that its content does not depend on the number of devices.

    Args:
        global_batch: conversations per optimiser step.
        micro_batch: the most conversations that fit on a device at once; if packed, on average.
        devices: processes that train together.
        packing: whether micro batches are balanced by tokens; their number is then free, otherwise
            it divides a device's share.

    Raises:
        UserError: the devices do not divide the global batch.
    """
    if global_batch % devices:
        raise UserError(
            f"a global batch of {global_batch} cannot be split over {devices} devices; "
            f"use a number of devices that divides it, or change global_batch"
        )
    share = global_batch // devices
    if packing:
        accumulation = math.ceil(share / micro_batch)
        return BatchPlan(global_batch, math.ceil(share / accumulation), accumulation, devices)
    micro = next(size for size in range(min(micro_batch, share), 0, -1) if share % size == 0)
    return BatchPlan(global_batch, micro, share // micro, devices)


def data_order(
    lengths: NDArray[np.int64], steps: int, global_batch: int, seed: int, by_length: bool
) -> NDArray[np.int64]:
    """Return the order of conversations for a whole stage.

    Epochs follow one another without a gap: a batch may hold the end of one and the start of the
    next. With ``by_length``, conversations of one global batch have similar lengths; within a global
    batch they are sorted by length in any case, which changes no gradient, but spares its micro
    batches padding.

    Args:
        lengths: tokens of each conversation.
        steps: optimiser steps.
        global_batch: conversations per step.
        seed: seed of the order.
        by_length: whether to group by length.

    Returns:
        (steps * global_batch,) indices.
    """
    count, needed = len(lengths), steps * global_batch
    epochs = math.ceil(needed / count)
    rngs = [np.random.default_rng([seed, epoch]) for epoch in range(epochs)]
    order = np.concatenate([rng.permutation(count) for rng in rngs])[:needed]
    if not by_length:
        batches = order.reshape(steps, global_batch)
        ranks = np.argsort(lengths[batches], axis=1, kind="stable")
        return np.take_along_axis(batches, ranks, axis=1).ravel()
    rng = np.random.default_rng([seed, epochs])
    grouped = [
        _group(order[start : start + GROUP * global_batch], lengths, global_batch, rng)
        for start in range(0, needed, GROUP * global_batch)
    ]
    return np.concatenate(grouped)


def _group(
    part: NDArray[np.int64],
    lengths: NDArray[np.int64],
    global_batch: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Sort by length, then shuffle the global batches."""
    by_length = part[np.argsort(lengths[part], kind="stable")]
    batches = by_length.reshape(-1, global_batch)
    return batches[rng.permutation(len(batches))].ravel()


class MicroBatches:
    """One device's micro batches of a stage, as a batch sampler for a `DataLoader`.

    Of each global batch, every device gets the same number of micro batches.

    Args:
        order: the order from `data_order`.
        plan: the split of global batches.
        rank: the device's number.
        lengths: tokens of every conversation, if micro batches are to be balanced for packing; None:
            they are taken in order, so that neighbours in length share one.
    """

    def __init__(
        self,
        order: NDArray[np.int64],
        plan: BatchPlan,
        rank: int = 0,
        lengths: NDArray[np.int64] | None = None,
    ) -> None:
        self.order, self.plan, self.rank, self.lengths = order, plan, rank, lengths
        self.batch_size, self.drop_last = plan.micro_batch, False

    def __len__(self) -> int:
        return len(self.order) // self.plan.global_batch * self.plan.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, len(self.order), self.plan.global_batch):
            batch = self.order[start : start + self.plan.global_batch].tolist()
            yield from self.split(batch)[self.rank :: self.plan.devices]

    def split(self, batch: list[int]) -> list[list[int]]:
        """Return the micro batches of a global batch, for all devices in turn."""
        if self.lengths is not None:
            return balanced(batch, self.lengths, self.plan.accumulation * self.plan.devices)
        size = self.plan.micro_batch
        return [batch[start : start + size] for start in range(0, len(batch), size)]
