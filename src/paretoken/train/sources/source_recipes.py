"""Recipes of the miniature's sources, validated: ``workflow/recipes/miniature_{vision,llm}.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from paretoken.config.fields import (
    Batch,
    Count,
    Layers,
    NotNegative,
    Record,
    Share,
    Size,
    Tokens,
    Width,
    problem,
)
from paretoken.errors import UserError
from paretoken.train.recipe import Decay, Divergence, as_pair
from paretoken.world.world_settings import KindShares


def _slot_shares(values: dict[int, float]) -> dict[int, float]:
    if abs(sum(values.values()) - 1) > 1e-6:
        raise problem(f"the shares add up to {sum(values.values()):.6g}; they must add up to 1")
    return values


class _Training(Record):
    """Settings of both sources."""

    steps: Count = Field(description="Optimiser steps.")
    learning_rate: Size = Field(description="Peak learning rate.")
    warmup: Share = Field(description="Share of the steps in which the rate rises.")
    betas: Annotated[tuple[Decay, Decay], BeforeValidator(as_pair)] = Field(
        description="Betas of AdamW."
    )
    weight_decay: NotNegative = Field(description="Weight decay of AdamW.")
    clip: Size = Field(description="Largest norm of the gradient.")
    log_every: Count = Field(default=25, description="Steps between losses in run.json.")
    divergence: Divergence = Field(
        default=2.0,
        description="Stop when the loss exceeds this multiple, above 1, of its value at the start.",
    )


class VisionRecipe(_Training):
    """Recipe of a CLIP tower that is trained to classify what each patch shows."""

    width: Width
    layers: Layers
    heads: Width
    mlp_ratio: Width = Field(description="Inner width of the MLPs, in widths.")
    images: Count = Field(description="Number of training images.")
    text_share: Share = Field(description="Share of text images.")
    batch: Batch = Field(description="Images per step.")
    empty_weight: NotNegative = Field(description="Weight of the loss on empty patches.")
    check_images: Count = Field(description="New images for the accuracies in run.json.")


class DirectText(Record):
    """Questions about an icon that is given by name."""

    rows: Batch = Field(description="Questions per step.")
    kinds: KindShares = Field(description="Shares of the kinds of questions.")


class SceneText(Record):
    """Conversations about scenes that are described in words."""

    rows: Batch = Field(description="Conversations per step.")
    turns: Count = Field(description="Questions per conversation.")
    text_share: Share = Field(description="Share of scenes with digits.")
    kinds: KindShares = Field(description="Shares of the kinds of questions about other scenes.")
    slots: Annotated[dict[int, Share], Field(min_length=1), AfterValidator(_slot_shares)] = Field(
        description="Shares of scenes, by the number of words that describe them."
    )


class LlmRecipe(_Training):
    """Recipe of a `Qwen2ForCausalLM` of any width, trained on the world's text."""

    layers: Layers
    mlp_ratio: Width = Field(description="Inner width of the MLPs, in widths.")
    head_width: Width = Field(description="Channels per attention head; there is at least one head.")
    positions: Tokens = Field(description="Most tokens of a text.")
    rope_theta: Size
    init_std: Size = Field(description="Standard deviation of new weights.")
    width: Width = Field(description="Width that learning_rate is for.")
    width_power: NotNegative = Field(
        description="The rate is multiplied by (width / model's width)^power."
    )
    direct: DirectText
    scenes: SceneText
    check_rows: Count = Field(description="New questions of each kind for the errors in run.json.")

    def rate(self, width: int) -> float:
        """Return the peak learning rate of a model of a width."""
        return float(self.learning_rate * (self.width / width) ** self.width_power)

    def heads(self, width: int) -> int:
        """Return the number of attention heads of a model of a width.

        Raises:
            UserError: the channels per head would not be an even number, which rotary positions
                need; the message names the nearest valid widths.
        """
        if self._fits(width):
            return self._heads(width)
        nearest = sorted(
            (w for w in range(2, 2 * width + 2) if self._fits(w)), key=lambda w: abs(w - width)
        )
        raise UserError(
            f"width {width} cannot be split into {self._heads(width)} heads of even width; "
            f"use {nearest[0]} or {nearest[1]}"
        )

    def _heads(self, width: int) -> int:
        return max(1, width // self.head_width)

    def _fits(self, width: int) -> bool:
        return width > 0 and width % (2 * self._heads(width)) == 0
