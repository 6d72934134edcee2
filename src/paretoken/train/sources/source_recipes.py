"""How the miniature's sources train: ``workflow/recipes/miniature_{vision,llm}.yaml``, checked."""

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
    """What both sources have in common."""

    steps: Count = Field(description="Optimiser steps.")
    learning_rate: Size = Field(description="Its peak.")
    warmup: Share = Field(description="Share of the steps in which the rate rises.")
    betas: Annotated[tuple[Decay, Decay], BeforeValidator(as_pair)] = Field(description="AdamW's.")
    weight_decay: NotNegative = Field(description="AdamW's.")
    clip: Size = Field(description="Largest norm of the gradient.")
    log_every: Count = Field(default=25, description="Steps between losses in run.json.")
    divergence: Divergence = Field(
        default=2.0,
        description="Stop when the loss is this multiple, above 1, of what it was at the start.",
    )


class VisionRecipe(_Training):
    """A CLIP tower trained to say what each patch shows."""

    width: Width
    layers: Layers
    heads: Width
    mlp_ratio: Width = Field(description="Inner width of the MLPs, in widths.")
    images: Count = Field(description="Training images, drawn from a stream of their own.")
    text_share: Share = Field(description="Share of text images.")
    batch: Batch = Field(description="Images a step.")
    empty_weight: NotNegative = Field(description="Weight of the loss on empty patches.")
    check_images: Count = Field(description="Fresh images for the accuracies in run.json.")


class DirectText(Record):
    """Questions about an icon that is named."""

    rows: Batch = Field(description="Per step.")
    kinds: KindShares = Field(description="What they ask.")


class SceneText(Record):
    """Conversations about scenes in words."""

    rows: Batch = Field(description="Per step.")
    turns: Count = Field(description="Questions in each.")
    text_share: Share = Field(description="Share of scenes with digits.")
    kinds: KindShares = Field(description="What is asked about the others.")
    slots: Annotated[dict[int, Share], Field(min_length=1), AfterValidator(_slot_shares)] = Field(
        description="Shares of scenes described by so many words."
    )


class LlmRecipe(_Training):
    """A `Qwen2ForCausalLM` of any width, trained on the world's text."""

    layers: Layers
    mlp_ratio: Width = Field(description="Inner width of the MLPs, in widths.")
    head_width: Width = Field(description="One attention head per so many channels, at least one.")
    positions: Tokens = Field(description="The longest text.")
    rope_theta: Size
    init_std: Size = Field(description="Standard deviation of new weights.")
    width: Width = Field(description="The width that learning_rate is for.")
    width_power: NotNegative = Field(description="Wider models learn at (width / theirs)^power of it.")
    direct: DirectText
    scenes: SceneText
    check_rows: Count = Field(description="Fresh questions of each kind for the errors in run.json.")

    def rate(self, width: int) -> float:
        """Return the peak learning rate of a model."""
        return float(self.learning_rate * (self.width / width) ** self.width_power)

    def heads(self, width: int) -> int:
        """Return the attention heads of a model.

        Raises:
            UserError: rotary positions need an even number of channels per head, which this width
                does not give; names the nearest widths that do.
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
