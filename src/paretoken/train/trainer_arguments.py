"""The Hugging Face Trainer's arguments for a recipe, and the attention implementation."""

from __future__ import annotations

import copy
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, TrainingArguments

from paretoken.data.collation import Packing
from paretoken.data.order import BatchPlan
from paretoken.errors import UserError
from paretoken.train.recipe import Recipe

#: The package that provides each version of FlashAttention.
FLASH = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def training_arguments(
    recipe: Recipe,
    plan: BatchPlan,
    steps: int,
    folder: Path,
    seed: int,
    zero: dict[str, Any] | None = None,
) -> TrainingArguments:
    """Return the arguments of the Hugging Face Trainer for a recipe.

    Args:
        recipe: how to train.
        plan: how the global batch is split.
        steps: number of optimiser steps.
        folder: folder of the checkpoints.
        seed: seed of the Trainer's generators.
        zero: a DeepSpeed configuration; None: train without DeepSpeed.
    """
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=plan.micro_batch,
        gradient_accumulation_steps=plan.accumulation,
        learning_rate=recipe.learning_rates.projector,
        max_grad_norm=recipe.clip,
        bf16=recipe.precision == "bf16",
        **_checkpointing(recipe),
        dataloader_num_workers=recipe.workers,
        save_strategy="steps",
        save_steps=recipe.save_every,
        logging_steps=recipe.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # a NaN must reach the guard and not be filtered out
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        seed=seed,
        data_seed=seed,
        use_cpu=not torch.cuda.is_available(),
        deepspeed=copy.deepcopy(zero),  # the Trainer replaces "auto" values
    )


def _checkpointing(recipe: Recipe) -> dict[str, Any]:
    """Return the argument for gradient checkpointing, by its name in this version of `transformers`."""
    if not recipe.gradient_checkpointing:
        return {}
    known = {field.name for field in fields(TrainingArguments)}
    new = "activation_checkpointing"
    return {new if new in known else "gradient_checkpointing": True}


def attention_of(recipe: Recipe) -> str:
    """Return the attention implementation that a recipe selects.

    Raises:
        UserError: it is not available here.
    """
    wanted = recipe.attention
    possible = torch.cuda.is_available() and recipe.precision == "bf16"
    if wanted == "auto":
        flash = possible and find_spec(FLASH["flash_attention_2"]) is not None
        return "flash_attention_2" if flash else "sdpa"
    if wanted in FLASH and not possible:
        raise UserError(f"attention: {wanted} needs a GPU and precision: bf16; set auto or sdpa")
    if wanted in FLASH and find_spec(FLASH[wanted]) is None:
        raise UserError(
            f"attention: {wanted} needs the package {FLASH[wanted]}, which is not installed; "
            "install it, or set auto or sdpa"
        )
    return wanted


def set_attention(model: PreTrainedModel, recipe: Recipe) -> None:
    """Set the attention implementation of a language model to the recipe's, or to a supported one.

    Raises:
        UserError: the model does not support the recipe's implementation.
    """
    wanted = attention_of(recipe)
    if wanted == "sdpa" and recipe.attention == "auto" and not model._supports_sdpa:
        wanted = "eager"  # Gemma 2: fused kernels do not support its capped scores
    try:
        model.set_attn_implementation(wanted)
    except ValueError as error:
        raise UserError(
            f"{type(model).__name__} does not support attention: {wanted}; set attention: sdpa, or eager"
        ) from error


def packing_of(recipe: Recipe) -> Packing | None:
    """Return how conversations are packed: flat with FlashAttention, which separates them."""
    if not recipe.packing:
        return None
    return "flat" if attention_of(recipe) in FLASH else "rows"
