"""The Hugging Face Trainer's arguments for a recipe."""

from __future__ import annotations

import copy
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from paretoken.data.order import BatchPlan
from paretoken.train.recipe import Recipe


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
