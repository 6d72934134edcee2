"""The recipe of a stage: the validated content of ``workflow/recipes/*.yaml``."""

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
#: Above 1: the loss of a healthy run sometimes exceeds its first value.
Divergence = Annotated[Size, Field(gt=1)]
#: Decay rates of AdamW's running means; below 1, as they would never change with 1.
Decay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


#: Tolerance in steps: a fraction of an epoch is printed with three digits, so it can be a little low.
ROUNDED = 0.99


def _below(name: str) -> str:
    if ".." in PurePosixPath(name).parts:
        raise problem(
            f"{shown(name)} is outside of the recipe's folder; give a path below it, without '..'"
        )
    return name


def as_pair(value: Any) -> Any:
    """Return a tuple for a list, which is how YAML holds pairs; return other values unchanged."""
    return tuple(value) if isinstance(value, list) else value


class LearningRates(Record):
    """Peak learning rate of each group of parameters."""

    projector: Size = Field(description="Rate of the projector.")
    compressor: Size | None = Field(
        default=None, description="Rate of the compressor; null: the projector's."
    )
    llm: Size | None = Field(default=None, description="Rate of the language model; finetune only.")
    llm_width: Width | None = Field(
        default=None, description="Hidden size that `llm` is for; null: any."
    )
    llm_width_power: NotNegative = Field(
        default=1.0, description="With llm_width: the rate falls with this power of the width."
    )

    def of_llm(self, width: int) -> float | None:
        """Return the rate for a language model of a hidden size; None if it is not trained."""
        if self.llm is None or self.llm_width is None:
            return self.llm
        return float(self.llm * (self.llm_width / width) ** self.llm_width_power)


class Recipe(Record):
    """All settings of a stage that are not coordinates of the study's grid."""

    stage: Stage = Field(
        description="pretrain: trains projector and compressor; finetune: the LLM, too."
    )
    learning_rates: LearningRates
    global_batch: Batch = Field(description="Conversations per step, over all devices.")
    micro_batch: Batch | Literal["auto"] = Field(
        description="Most conversations that a device takes at once (with packing: on average); auto: "
        "as many as its memory holds."
    )
    memory_gib: Size | None = Field(
        default=None,
        description="With micro_batch: auto, GiB of a device that training may use; null: what is free.",
    )
    packing: bool = Field(
        default=False,
        description="Put several conversations into a row, without attention between them.",
    )
    steps: Count | None = Field(default=None, description="Optimiser steps; or give `epochs`.")
    epochs: Size | None = Field(default=None, description="Passes over the data.")
    warmup: Share = Field(default=0.03, description="Share of the steps in which the rate rises.")
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine", description="After warm-up: cosine to 0, or constant."
    )
    weight_decay: NotNegative = Field(
        default=0.0, description="For matrices only; biases and norms have none."
    )
    betas: Annotated[tuple[Decay, Decay], BeforeValidator(as_pair)] = Field(
        default=(0.9, 0.999), description="Betas of AdamW."
    )
    epsilon: Size = Field(default=1e-8, description="Epsilon of AdamW.")
    clip: NotNegative = Field(default=1.0, description="Largest norm of the gradient; 0: no clipping.")
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="bf16: autocast; trained weights stay fp32."
    )
    max_length: Tokens = Field(
        default=2048, description="Most tokens of a conversation; an image counts V."
    )
    by_length: bool = Field(default=True, description="Make batches of conversations of similar length.")
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3"] = Field(
        default="auto",
        description="Attention of the language model; auto: FlashAttention 2 if available.",
    )
    gradient_checkpointing: bool = Field(default=False, description="Needs less memory, more time.")
    save_every: Count = Field(default=500, description="Steps between checkpoints.")
    keep_checkpoints: Count = Field(default=2, description="Most checkpoints to keep.")
    log_every: Count = Field(default=10, description="Steps between lines in the log.")
    workers: Workers = Field(default=0, description="Processes that load batches.")
    tensorboard: bool = Field(default=True, description="Write TensorBoard files.")
    divergence: Divergence = Field(
        default=2.0,
        description="Stop when the loss exceeds this multiple, above 1, of its value at the start.",
    )
    deepspeed: Annotated[Text, AfterValidator(_below)] | None = Field(
        default=None, description="A DeepSpeed JSON, relative to the recipe's folder."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if (self.steps is None) == (self.epochs is None):
            raise problem(f"give either steps or epochs; {self._instead()}")
        if (self.learning_rates.llm is None) == (self.stage == "finetune"):
            wrong = (
                "learning_rates.llm is required in finetune; add it"
                if self.stage == "finetune"
                else "learning_rates.llm has no meaning in pretrain; remove it, or set it to null"
            )
            other = "pretrain" if self.stage == "finetune" else "finetune"
            raise problem(f"{wrong}, or set stage: {other}")
        return self

    def _instead(self) -> str:
        if self.steps is None:
            return "neither is set: add one of them"
        return (
            "both are set: set one of them to null (epochs: null in the file, --set epochs=null on the "
            "command line)"
        )

    def steps_of(self, conversations: int) -> int:
        """Return the optimiser steps for a number of conversations; raise like `steps_for`."""
        return self.steps or steps_for(conversations, self.global_batch, self.epochs or 1)

    def digest(self) -> str:
        """Return a hash of all settings, from the file and from the command line."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def steps_for(conversations: int, global_batch: int, epochs: float) -> int:
    """Return how many global batches show every conversation ``epochs`` times, at least one.

    Raises:
        UserError: ``epochs`` is below 1 and less than one global batch.
    """
    shown = conversations * epochs
    if epochs < 1 and shown < ROUNDED * global_batch:
        raise UserError(
            f"epochs = {epochs:g} of {conversations:,} conversations are fewer than the "
            f"{global_batch:,} of one step; write epochs: {min(1, global_batch / conversations):.3g} or "
            "more, or give steps instead"
        )
    return max(1, math.ceil(shown / global_batch))


def read_recipe(path: Path, stage: str, overrides: Sequence[tuple[str, str]] = ()) -> Recipe:
    """Return the validated recipe of a stage.

    Args:
        path: the YAML file.
        stage: the stage that the recipe must be for.
        overrides: pairs such as ``("learning_rates.llm", "3e-3")``, as ``--set`` takes them.

    Raises:
        UserError: the file cannot be read, or is invalid; the message lists all problems.
    """
    recipe = read_settings(path, Recipe, "recipe", overrides)
    if recipe.stage != stage:
        raise UserError(f"{path} is a recipe for {recipe.stage}; give one for {stage}")
    return recipe
