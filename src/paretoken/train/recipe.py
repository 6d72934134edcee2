"""How a stage trains: ``workflow/recipes/*.yaml``, checked."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from paretoken.config.fields import (
    Batch,
    Count,
    NotNegative,
    Record,
    Share,
    Size,
    Text,
    Tokens,
    Width,
    Workers,
    problem,
)
from paretoken.config.settings import read_settings
from paretoken.errors import UserError
from paretoken.io.escape import shown

Stage = Literal["pretrain", "finetune"]
#: A healthy run's loss is above its first one now and then, so that 1 or less would stop it.
Divergence = Annotated[Size, Field(gt=1)]
#: What AdamW's running means keep of themselves at each step; with 1 they would never learn anything.
Decay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


#: A part of a pass is written with three digits: so little less than a step is a step.
ROUNDED = 0.99


def _below(name: str) -> str:
    if ".." in PurePosixPath(name).parts:
        raise problem(
            f"{shown(name)} leads out of the recipe's folder; write a name below it, without '..'"
        )
    return name


def as_pair(value: Any) -> Any:
    """Return a list, as YAML has it, as a tuple."""
    return tuple(value) if isinstance(value, list) else value


class LearningRates(Record):
    """Peak learning rate of each group of parameters."""

    projector: Size = Field(description="Of the projector.")
    compressor: Size | None = Field(default=None, description="Of the compressor; else projector's.")
    llm: Size | None = Field(default=None, description="Of the language model; finetune only.")
    llm_width: Width | None = Field(
        default=None, description="Hidden size that `llm` is for; None: it holds for every size."
    )
    llm_width_power: NotNegative = Field(
        default=1.0, description="With llm_width: the rate falls with this power of the width."
    )

    def of_llm(self, width: int) -> float | None:
        """Return the language model's rate, at its hidden size."""
        if self.llm is None or self.llm_width is None:
            return self.llm
        return float(self.llm * (self.llm_width / width) ** self.llm_width_power)


class Recipe(Record):
    """Everything about a stage that is no coordinate of the grid."""

    stage: Stage = Field(description="pretrain: projector and compressor; finetune: the LLM too.")
    learning_rates: LearningRates
    global_batch: Batch = Field(description="Conversations per step, over all devices.")
    micro_batch: Batch | Literal["auto"] = Field(
        description="The most conversations a device takes at once (packed: on average); auto: as many "
        "as its memory holds."
    )
    memory_gib: Size | None = Field(
        default=None,
        description="With micro_batch: auto, GiB of a device that training may use; None: what is free.",
    )
    packing: bool = Field(
        default=False, description="Several conversations in a row, kept apart, instead of padding."
    )
    steps: Count | None = Field(default=None, description="Optimiser steps; or give `epochs`.")
    epochs: Size | None = Field(default=None, description="Passes over the data.")
    warmup: Share = Field(default=0.03, description="Share of the steps in which the rate rises.")
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine", description="After warm-up: cosine to 0, or constant."
    )
    weight_decay: NotNegative = Field(default=0.0, description="Of matrices; never of others.")
    betas: Annotated[tuple[Decay, Decay], BeforeValidator(as_pair)] = Field(
        default=(0.9, 0.999), description="AdamW's."
    )
    epsilon: Size = Field(default=1e-8, description="AdamW's.")
    clip: NotNegative = Field(default=1.0, description="Largest norm of the gradient; 0: any.")
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="bf16: autocast; trained weights stay fp32."
    )
    max_length: Tokens = Field(default=2048, description="Tokens, an image counted as V.")
    by_length: bool = Field(default=True, description="Batches of similar length.")
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3"] = Field(
        default="auto", description="Of the language model; auto: FlashAttention 2 where it can run."
    )
    gradient_checkpointing: bool = Field(default=False, description="Less memory, more time.")
    save_every: Count = Field(default=500, description="Steps between checkpoints.")
    keep_checkpoints: Count = Field(default=2, description="How many to keep while training.")
    log_every: Count = Field(default=10, description="Steps between lines in the log.")
    workers: Workers = Field(default=0, description="Processes that load batches.")
    tensorboard: bool = Field(default=True, description="Write TensorBoard files.")
    divergence: Divergence = Field(
        default=2.0,
        description="Stop when the loss is this multiple, above 1, of what it was at the start.",
    )
    deepspeed: Annotated[Text, AfterValidator(_below)] | None = Field(
        default=None, description="A DeepSpeed JSON, from the recipe's folder."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if (self.steps is None) == (self.epochs is None):
            raise problem(f"give either steps or epochs; {self._instead()}")
        if (self.learning_rates.llm is None) == (self.stage == "finetune"):
            wrong = (
                "learning_rates.llm is needed in finetune; add it"
                if self.stage == "finetune"
                else "learning_rates.llm has no meaning in pretrain; take it out, or set it to null"
            )
            other = "pretrain" if self.stage == "finetune" else "finetune"
            raise problem(f"{wrong}, or write stage: {other} if that is meant")
        return self

    def _instead(self) -> str:
        if self.steps is None:
            return "neither is there: add one of them"
        return (
            "both are there: set the one that shall not hold to null (epochs: null in the file, "
            "epochs=null as a change)"
        )

    def steps_of(self, conversations: int) -> int:
        """Return the optimiser steps over so many conversations (`UserError` as `steps_for`)."""
        return self.steps or steps_for(conversations, self.global_batch, self.epochs or 1)

    def digest(self) -> str:
        """Return a hash of all settings (those of the file and those set on the command line)."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def steps_for(conversations: int, global_batch: int, epochs: float) -> int:
    """Return how many global batches show every conversation ``epochs`` times, at least one.

    Raises:
        UserError: ``epochs`` is a part of a pass that is less than one global batch.
    """
    shown = conversations * epochs
    if epochs < 1 and shown < ROUNDED * global_batch:
        raise UserError(
            f"epochs = {epochs:g} of {conversations:,} conversations are fewer than the "
            f"{global_batch:,} of one step; write epochs: {min(1, global_batch / conversations):.3g} or "
            "more, or steps in its place"
        )
    return max(1, math.ceil(shown / global_batch))


def read_recipe(path: Path, stage: str, overrides: Sequence[tuple[str, str]] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: the YAML file.
        stage: the stage that is asked for; the recipe must be for it.
        overrides: pairs such as ``("learning_rates.llm", "3e-3")``, as ``--set`` takes them.

    Raises:
        UserError: the file cannot be read, or everything that is wrong with it.
    """
    recipe = read_settings(path, Recipe, "recipe", overrides)
    if recipe.stage != stage:
        raise UserError(f"{path} is a recipe for {recipe.stage}, not for {stage}")
    return recipe
