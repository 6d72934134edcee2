"""Optimiser and learning-rate schedule of a stage."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from paretoken.errors import UserError
from paretoken.models.vlm import ParetokenModel
from paretoken.train.recipe import Recipe


def parameter_groups(model: ParetokenModel, recipe: Recipe) -> list[dict[str, Any]]:
    """Return the trained parameters in groups of one learning rate and one weight decay.

    Only matrices decay; biases, norms and other vectors do not.

    Raises:
        UserError: no parameter is trained.
    """
    rates = recipe.learning_rates
    peak = {
        "projector": rates.projector,
        "compressor": rates.compressor or rates.projector,
        "language_model": rates.of_llm(model.config.text_config.hidden_size),
    }
    groups: dict[tuple[str, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        part, decays = name.partition(".")[0], parameter.ndim >= 2
        group = groups.setdefault(
            (part, decays),
            {"params": [], "lr": peak[part], "weight_decay": recipe.weight_decay * decays},
        )
        group["params"].append(parameter)
    if not groups:
        raise UserError("this stage has nothing to train: all parameters are frozen")
    return list(groups.values())


def make_optimiser(model: ParetokenModel, recipe: Recipe) -> AdamW:
    """Return AdamW over the trained parameters (fused: one kernel per group and step)."""
    return AdamW(
        parameter_groups(model, recipe),
        lr=recipe.learning_rates.projector,
        betas=recipe.betas,
        eps=recipe.epsilon,
        fused=True,
    )


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Return the learning rate at a step as a share of its peak."""
    if recipe.schedule == "constant":
        return _rise(step, recipe.warmup * steps)
    return warm_cosine(step, steps, recipe.warmup)


def warm_cosine(step: int, steps: int, warmup: float) -> float:
    """Return a rate that rises for a share ``warmup`` of the steps, then falls to 0 as a cosine."""
    warm = warmup * steps
    if step < warm:
        return _rise(step, warm)
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1.0, steps - warm)))


def _rise(step: int, warm: float) -> float:
    return min(1.0, (step + 1) / (warm + 1))


def make_schedule(optimiser: torch.optim.Optimizer, steps: int, recipe: Recipe) -> LambdaLR:
    """Return the schedule: linear warm-up, then cosine decay or a constant rate, as the recipe says."""
    rule: Callable[[int], float] = lambda step: rate_at(step, steps, recipe)  # noqa: E731
    return LambdaLR(optimiser, rule)
