"""Choosing the micro batch: the recipe's, or the largest that fits; smaller after memory ran out.

The global batch does not depend on it, so neither does the result, except for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from paretoken.compressors.specification import Sizes
from paretoken.costs.activation_memory import (
    ActivationCost,
    MicroBatch,
    Trainee,
    VisionPart,
    activation_cost,
)
from paretoken.costs.gpu_memory import GIB, USABLE, Split, states
from paretoken.costs.shapes import decoder_shape, encoder_shape
from paretoken.data.collation import TrainingCollator
from paretoken.data.order import BatchPlan, MicroBatches, plan_batches
from paretoken.errors import UserError
from paretoken.models.vlm import ParetokenModel
from paretoken.train.attention import attention_of
from paretoken.train.distributed import smallest
from paretoken.train.recipe import Recipe
from paretoken.train.shortage import note_shortage, read_shortage
from paretoken.train.zero import size

#: How many of the largest global batches are checked when a micro batch is chosen.
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
        model: the model, not yet partitioned over devices.
        collator: knows the lengths of the conversations.
        order: indices of the conversations, in the order of training.
        devices: number of processes that train together.
        zero: stage of ZeRO; 0: no DeepSpeed.
        folder: folder of the checkpoints, in which an earlier attempt may have noted a shortage.

    Raises:
        UserError: the devices do not divide the global batch, or not even one conversation fits.
    """
    shortage = read_shortage(folder)
    if recipe.micro_batch == "auto":
        trainee = trainee_of(recipe, model, collator)
        room = room_for_activations(recipe, trainee, Split(devices, zero))
        plan = largest_plan(recipe, collator, order, devices, activation_cost(trainee, zero), room)
    else:
        plan = plan_batches(recipe.global_batch, recipe.micro_batch, devices, recipe.packing)
    if shortage is not None and shortage.conversations < plan.micro_batch:
        plan = plan_batches(recipe.global_batch, shortage.conversations, devices, recipe.packing)
    return plan


def trainee_of(recipe: Recipe, model: ParetokenModel, collator: TrainingCollator) -> Trainee:
    """Return the description of a training that the memory model takes."""
    counts = [0, 0]
    for parameter in model.parameters():
        counts[parameter.requires_grad] += size(parameter)
    return Trainee(
        trained=counts[1],
        frozen=counts[0],
        llm=decoder_shape(model.config.text_config.to_dict()),
        llm_learns=recipe.stage == "finetune",
        vision=vision_of(model),
        bf16=recipe.precision == "bf16",
        checkpointing=recipe.gradient_checkpointing,
        masked=collator.packing == "rows" or attention_of(recipe, model.config.text_config) == "eager",
    )


def vision_of(model: ParetokenModel) -> VisionPart | None:
    """Return what makes the visual tokens of a model, as the memory model takes it; None for V = 0."""
    config = model.config
    if config.visual_tokens == 0:
        return None
    encoder = config.vision_config if model.vision_encoder is not None else None
    width, hidden = config.vision_width, config.text_config.hidden_size
    joined = len(config.layers) * width
    return VisionPart(
        config.compressor,
        Sizes(config.visual_tokens, config.grid_side, width, joined, hidden),
        hidden if config.projector_width is None else config.projector_width,
        None if encoder is None else encoder_shape(encoder.to_dict()),
    )


def room_for_activations(recipe: Recipe, trainee: Trainee, split: Split) -> float:
    """Return the bytes that activations may take on the device with the least free memory.

    Raises:
        UserError: there is no GPU and the recipe names no budget, or the model alone is too large.
    """
    if recipe.memory_gib is not None:
        free = recipe.memory_gib * GIB
    elif torch.cuda.is_available():
        free = smallest(float(torch.cuda.mem_get_info()[0]))
    else:
        raise UserError("micro_batch: auto needs a GPU, or memory_gib in the recipe; or set a number")
    needed = states(trainee, split)
    if needed.total >= USABLE * free:
        raise UserError(
            f"weights, gradients and optimiser need {needed.total / GIB:.1f} GiB, a device has "
            f"{free / GIB:.1f}; use more devices with deepspeed/zero3.json, or a larger device"
        )
    return USABLE * free - needed.kept


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

    def needed(numbers: list[int]) -> float:
        return cost.of(micro_batch(numbers, collator))

    for plan in _plans(recipe, devices):
        micro = MicroBatches(heaviest, plan, 0, collator.lengths if recipe.packing else None)
        batches = heaviest.reshape(-1, recipe.global_batch).tolist()
        if all(needed(part) <= room for batch in batches for part in micro.split(batch)):
            return plan
    longest = [int(order[np.argmax(collator.lengths[order])])]
    raise UserError(
        f"a conversation of {collator.lengths[longest[0]]} tokens needs "
        f"{needed(longest) / GIB:.2f} GiB for activations, and {room / GIB:.2f} GiB are "
        "left; set gradient_checkpointing: true, lower max_length, or use a larger device"
    )


def _heaviest(
    batches: NDArray[np.int64], lengths: NDArray[np.int64], packing: bool
) -> NDArray[np.int64]:
    """Return the global batches with the most tokens or, with padding, the longest conversations."""
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


def micro_batch(numbers: list[int], collator: TrainingCollator) -> MicroBatch:
    """Return the description of a micro batch of some conversations that the memory model takes."""
    rows = collator.layout(numbers)
    return MicroBatch(
        conversations=len(numbers),
        rows=len(rows),
        length=max(map(collator.tokens_of, rows)),
        learned=int(collator.learned[numbers].sum()),
        images=int(collator.seen[numbers].sum()),
    )


def halve(plan: BatchPlan, folder: Path) -> int:
    """Record that a micro batch did not fit, and return the size for the next attempt.

    Raises:
        UserError: the micro batch was already one conversation.
    """
    if plan.micro_batch == 1:
        raise UserError(
            "the device's memory ran out with one conversation at a time; set gradient_checkpointing: "
            "true, lower max_length, split the model with deepspeed/zero3.json, or use a larger device"
        )
    return note_shortage(folder, plan.micro_batch).conversations
