"""A recipe in the terms of the Hugging Face Trainer, and how attention is computed."""

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

#: The package that each implementation of FlashAttention comes with.
FLASH = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def training_arguments(
    recipe: Recipe,
    plan: BatchPlan,
    steps: int,
    folder: Path,
    seed: int,
    zero: dict[str, Any] | None = None,
) -> TrainingArguments:
    """Translate a recipe for the Hugging Face Trainer.

    Args:
        recipe: how to train.
        plan: how the global batch is split.
        steps: optimiser steps.
        folder: for checkpoints.
        seed: of the Trainer's generators.
        zero: a DeepSpeed configuration.
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
        logging_nan_inf_filter=False,  # a NaN must reach the guard, not be averaged away
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        seed=seed,
        data_seed=seed,
        use_cpu=not torch.cuda.is_available(),
        deepspeed=copy.deepcopy(zero),  # the Trainer fills in what is "auto"
    )


def _checkpointing(recipe: Recipe) -> dict[str, Any]:
    """Ask for gradient checkpointing under the name that this version of `transformers` has."""
    if not recipe.gradient_checkpointing:
        return {}
    known = {field.name for field in fields(TrainingArguments)}
    new = "activation_checkpointing"
    return {new if new in known else "gradient_checkpointing": True}


def attention_of(recipe: Recipe) -> str:
    """Return the implementation of attention that a recipe asks for.

    Raises:
        UserError: it cannot run here.
    """
    wanted = recipe.attention
    possible = torch.cuda.is_available() and recipe.precision == "bf16"
    if wanted == "auto":
        flash = possible and find_spec(FLASH["flash_attention_2"]) is not None
        return "flash_attention_2" if flash else "sdpa"
    if wanted in FLASH and not possible:
        raise UserError(f"attention: {wanted} needs a GPU and precision: bf16; write auto or sdpa")
    if wanted in FLASH and find_spec(FLASH[wanted]) is None:
        raise UserError(
            f"attention: {wanted} needs the package {FLASH[wanted]}, which is not installed; "
            "install it, or write auto or sdpa"
        )
    return wanted


def set_attention(model: PreTrainedModel, recipe: Recipe) -> None:
    """Let a language model compute attention as a recipe asks; with ``auto``, as it can.

    Raises:
        UserError: the model's family does not have what was asked for.
    """
    wanted = attention_of(recipe)
    if wanted == "sdpa" and recipe.attention == "auto" and not model._supports_sdpa:
        wanted = "eager"  # Gemma 2: its capped scores are in no fused kernel
    try:
        model.set_attn_implementation(wanted)
    except ValueError as error:
        raise UserError(
            f"{type(model).__name__} has no attention of the kind {wanted}; "
            "write attention: sdpa, or eager"
        ) from error


def packing_of(recipe: Recipe) -> Packing | None:
    """Return how a recipe's conversations are packed: flat where FlashAttention keeps them apart."""
    if not recipe.packing:
        return None
    return "flat" if attention_of(recipe) in FLASH else "rows"
