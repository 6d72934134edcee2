"""Records of how the cells of a study are trained: data, recipes, and how a stage's inputs are made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from paretoken.config.asked import BenchmarkSettings
from paretoken.config.fields import (
    Assignment,
    Name,
    Record,
    Size,
    TextTokens,
    WholeNumber,
    Width,
    registered,
    unique,
)
from paretoken.config.safe_paths import ConfigPath
from paretoken.registry import TEMPLATES

#: `chat`: the template of each language model's record. `plain`: no template, but image, caption and
#: end-of-text token. `plain_llava`: as in LLaVA-1.5, with a line end instead of that token; a line end
#: cannot end the answers of stage 2.
PretrainTemplate = Annotated[
    str, registered(dict.fromkeys(("chat", "plain", "plain_llava", *TEMPLATES)), "template")
]
FinetuneTemplate = Annotated[str, registered(dict.fromkeys(("chat", *TEMPLATES)), "template of stage 2")]
Aspect = Literal["crop", "pad"]


class StageRecipes(Record):
    """Files of hyperparameters; paths relative to the project."""

    pretrain: ConfigPath = Field(description="Stage 1: projector and compressor.")
    finetune: ConfigPath = Field(description="Stage 2: the language model too.")


class StageOverrides(Record):
    """Changes to the recipes, as `paretoken train --set` takes them."""

    pretrain: list[Assignment] = Field(
        default=[], description="KEY=VALUE for stage 1, such as learning_rates.projector=2e-3."
    )
    finetune: list[Assignment] = Field(
        default=[], description="KEY=VALUE for stage 2, such as global_batch=128."
    )


class StageTemplates(Record):
    """Chat templates in which conversations are written, per stage."""

    pretrain: PretrainTemplate = Field(
        default="plain",
        description="Stage 1; plain: captions only, each with an end token; plain_llava: as LLaVA-1.5, "
        "with a line end (docs/training_data.md).",
    )
    finetune: FinetuneTemplate = Field(
        default="chat", description="Stage 2 and benchmarks; chat: each model's own."
    )


class StageAspects(Record):
    """Ways to make images square, per stage: `crop` the centre, or `pad` with the mean colour.

    Images of a generated world are square already.
    """

    pretrain: Aspect = Field(default="crop", description="Stage 1; LLaVA-1.5: crop.")
    finetune: Aspect = Field(default="pad", description="Stage 2 and benchmarks; LLaVA-1.5: pad.")


class Training(Record):
    """Settings of the two stages of training, and of the evaluation that follows."""

    data: Name = Field(description="The data of both stages: a record under `data:`.")
    recipes: StageRecipes = Field(description="Files of hyperparameters.")
    overrides: StageOverrides = Field(
        default=StageOverrides(), description="Changes to single values of the recipes."
    )
    templates: StageTemplates = Field(
        default=StageTemplates(), description="How conversations are written, per stage."
    )
    aspects: StageAspects = Field(
        default=StageAspects(), description="How images become square, per stage."
    )
    features: bool = Field(
        default=False,
        description="Encode all training images once, before training. For pilots: the 558K images of "
        "LLaVA-1.5's stage 1 take 576 patches x 4 layers x 1024 channels x 2 bytes each, 2.6 TB.",
    )
    normalise: bool = Field(
        default=False, description="Normalise each encoder layer to mean 0 and variance 1 per patch."
    )
    layers: Annotated[list[WholeNumber], Field(min_length=1), AfterValidator(unique)] | None = Field(
        default=None,
        description="Hidden states of the encoder that the projector reads; default: the compressor's.",
    )
    projector_width: Width | None = Field(
        default=None, description="Inner width of the projector; default: the language model's width."
    )
    whiten: bool = Field(default=False, description="Whether the projector's inputs are whitened.")
    init_std: Size | None = Field(
        default=None,
        description="Standard deviation of new weights, for compressors that define one (default 0.02, "
        "for CLIP's 1024 channels).",
    )
    benchmarks: list[BenchmarkSettings] = Field(
        default=[], description="Benchmarks that this study handles differently from their conventions."
    )
    lengthened: Annotated[list[Annotated[TextTokens, Field(ge=1)]], AfterValidator(unique)] = Field(
        default=[],
        description="Q: text tokens of a prompt at which a world's questions are asked, too.",
    )
    blind: Annotated[list[Name], AfterValidator(unique)] = Field(
        default=[],
        description="Sizes that are also trained without an image (V = 0); in the tables, in no fit.",
    )

    def settings(self, benchmark: str) -> BenchmarkSettings:
        """Return how the study handles a benchmark (by default, as registered)."""
        found = (entry for entry in self.benchmarks if entry.name == benchmark)
        return next(found, None) or BenchmarkSettings(name=benchmark)

    def harnessed(self) -> list[str]:
        """Return the benchmarks that another harness asks and scores."""
        return [entry.name for entry in self.benchmarks if entry.harness != "paretoken"]
