"""How large a micro batch is: as the recipe says, or as much as fits; smaller once memory ran out.

The global batch never changes with it, so the result does not either, but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from paretoken.cost import decoder_shape, encoder_shape
from paretoken.data.collation import TrainingCollator
from paretoken.data.order import BatchPlan, MicroBatches, plan_batches
from paretoken.errors import UserError
from paretoken.files import read_json, write_json
from paretoken.models.vlm import ParetokenModel
from paretoken.train.arguments import attention_of
from paretoken.train.distributed import smallest
from paretoken.train.memory import USABLE, ActivationCost, activation_cost, state_bytes
from paretoken.train.recipe import Recipe
from paretoken.train.zero import size

#: Where a run notes, beside its checkpoints, the micro batch that it found not to be too large.
LIMIT = "micro_batch.json"

#: Global batches that are looked at, the heaviest first, when a micro batch is chosen.
CHECKED = 64


def choose_plan(
    recipe: Recipe,
    model: ParetokenModel,
    collator: TrainingCollator,
    order: NDArray[np.int64],
    devices: int,
    zero: int,
    folder: Path,
) -> BatchPlan:
    """Return how the global batch is split.

    Args:
        recipe: how to train.
        model: not yet split up.
        collator: knows the lengths.
        order: which conversation stands where.
        devices: processes that train together.
        zero: stage of ZeRO; 0: no DeepSpeed.
        folder: of the checkpoints, where an earlier attempt may have left a `LIMIT`.

    Raises:
        UserError: the devices do not divide the global batch, or not even one conversation fits.
    """
    limit = read_json(folder / LIMIT)["conversations"] if (folder / LIMIT).exists() else None
    if recipe.micro_batch == "auto":
        room = free_bytes(recipe, model, devices, zero)
        cost = cost_of(recipe, model, collator)
        plan = largest_plan(recipe, collator, order, devices, cost, room)
    else:
        plan = plan_batches(recipe.global_batch, recipe.micro_batch, devices, recipe.packing)
    if limit is not None and limit < plan.micro_batch:
        plan = plan_batches(recipe.global_batch, limit, devices, recipe.packing)
    return plan


def free_bytes(recipe: Recipe, model: ParetokenModel, devices: int, zero: int) -> float:
    """Return the bytes that activations may take on the device that has least.

    Raises:
        UserError: there is no GPU and the recipe names no budget, or the model alone is too large.
    """
    if recipe.memory_gib is not None:
        total = recipe.memory_gib * 2**30
    elif torch.cuda.is_available():
        total = smallest(float(torch.cuda.mem_get_info()[0]))
    else:
        raise UserError("micro_batch: auto needs a GPU, or memory_gib in the recipe; or write a number")
    counts = [0, 0]
    for parameter in model.parameters():
        counts[parameter.requires_grad] += size(parameter)
    states = state_bytes(counts[1], counts[0], recipe.precision == "bf16", zero, devices)
    if states >= USABLE * total:
        raise UserError(
            f"weights, gradients and optimiser need {states / 2**30:.1f} GiB of a device's "
            f"{total / 2**30:.1f}; use more devices with deepspeed/zero3.json, or a larger device"
        )
    return USABLE * total - states


def cost_of(recipe: Recipe, model: ParetokenModel, collator: TrainingCollator) -> ActivationCost:
    """Return what activations cost with this model and data."""
    vision = model.config.vision_config
    online = model.vision_encoder is not None and vision is not None
    data = collator.data
    return activation_cost(
        decoder_shape(model.config.text_config.to_dict()),
        encoder_shape(vision.to_dict()) if online and vision is not None else None,
        bf16=recipe.precision == "bf16",
        checkpointing=recipe.gradient_checkpointing,
        masked=collator.packing == "rows" or attention_of(recipe) == "eager",
        learned_share=float(data.learned.sum()) / max(1, int(collator.lengths.sum())),
    )


def largest_plan(
    recipe: Recipe,
    collator: TrainingCollator,
    order: NDArray[np.int64],
    devices: int,
    cost: ActivationCost,
    room: float,
) -> BatchPlan:
    """Return the plan with the fewest micro batches that all fit into ``room`` bytes.

    Raises:
        UserError: not even one conversation fits.
    """
    heaviest = _heaviest(order.reshape(-1, recipe.global_batch), collator.lengths, recipe.packing)
    for plan in _plans(recipe, devices):
        micro = MicroBatches(heaviest, plan, 0, collator.lengths if recipe.packing else None)
        batches = heaviest.reshape(-1, recipe.global_batch).tolist()
        if all(_bytes(part, collator, cost) <= room for batch in batches for part in micro.split(batch)):
            return plan
    longest = [int(order[np.argmax(collator.lengths[order])])]
    raise UserError(
        f"a conversation of {collator.lengths[longest[0]]} tokens needs "
        f"{_bytes(longest, collator, cost) / 2**30:.2f} GiB for activations, and "
        f"{room / 2**30:.2f} are left; set gradient_checkpointing: true, lower max_length, or use "
        "a larger device"
    )


def _heaviest(
    batches: NDArray[np.int64], lengths: NDArray[np.int64], packing: bool
) -> NDArray[np.int64]:
    """Return the global batches with the most tokens, or, padded, with the longest conversation."""
    weight = lengths[batches].sum(1) if packing else lengths[batches].max(1)
    chosen: NDArray[np.int64] = batches[np.argsort(-weight, kind="stable")[:CHECKED]].ravel()
    return chosen


def _plans(recipe: Recipe, devices: int) -> Iterator[BatchPlan]:
    """Yield all plans, from the largest micro batch to one conversation."""
    plan = plan_batches(recipe.global_batch, recipe.global_batch, devices, recipe.packing)
    yield plan
    while plan.micro_batch > 1:
        plan = plan_batches(recipe.global_batch, plan.micro_batch - 1, devices, recipe.packing)
        yield plan


def _bytes(numbers: list[int], collator: TrainingCollator, cost: ActivationCost) -> float:
    rows = collator.layout(numbers)
    length = max(map(collator.tokens_of, rows))
    images = int((collator.data.images[numbers] >= 0).sum())
    return cost.of(len(rows), length, images)


def halve(plan: BatchPlan, folder: Path) -> int:
    """Note that a micro batch did not fit; return the size that the next attempt takes.

    Raises:
        UserError: it was one conversation already.
    """
    if plan.micro_batch == 1:
        raise UserError(
            "the device's memory ran out with one conversation at a time; set gradient_checkpointing: "
            "true, lower max_length, split the model with deepspeed/zero3.json, or use a larger device"
        )
    smaller = plan.micro_batch // 2
    write_json(folder / LIMIT, {"conversations": smaller})
    return smaller
