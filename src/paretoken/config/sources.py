"""Records of what a study is made from: language models, vision encoders and training data.

Each is fetched or made: that is a property of the record, and the only difference that rules know of.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from paretoken.config.fields import (
    Billions,
    Gpus,
    Grid,
    Name,
    Parameters,
    Record,
    Seed,
    Share,
    Text,
    Width,
    problem,
    registered,
)
from paretoken.config.safe_paths import ConfigPath
from paretoken.registry import TEMPLATES


class StageGpus(Record):
    """How many GPUs a job takes; results do not depend on it, since the global batch is fixed."""

    pretrain: Gpus = Field(default=1, description="For stage 1.")
    finetune: Gpus = Field(default=1, description="For stage 2.")
    predict: Gpus = Field(default=1, description="For the answers to a benchmark.")


def _require_one_origin(record: Llm | Vision) -> None:
    """Refuse keys of two origins: one of them would change nothing."""
    if record.make is None:
        return
    for key in ("hub", "revision", "params"):
        if getattr(record, key) is not None:
            raise problem(f"has make and {key}: a model is made or fetched; take one of them out")


class MadeLlm(Record):
    """How a language model is trained from nothing, on the questions of a generated world."""

    recipe: ConfigPath = Field(description="File of hyperparameters.")
    width: Width = Field(description="Hidden size.")


class MadeVision(Record):
    """How an encoder is trained from nothing, on the images of a generated world."""

    recipe: ConfigPath = Field(description="File of hyperparameters.")


class Llm(Record):
    """One language model of the ladder: fetched (`hub`) or made (`make`)."""

    name: Name = Field(description="How studies, folders and tables call this size.")
    params_b: Billions = Field(description="N: nominal size, billions of parameters.")
    hub: ConfigPath | None = Field(
        default=None, description="Where it is fetched: a hub's id, or a local directory; or `make:`."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    params: Parameters | None = Field(
        default=None, description="Exact number of parameters; what was fetched is checked against it."
    )
    make: MadeLlm | None = Field(default=None, description="How it is trained from nothing; or `hub:`.")
    gpus: StageGpus = Field(
        default=StageGpus(),
        description="GPUs per stage; a model that is made asks for them only if they are said.",
    )
    template: Annotated[str, registered(dict.fromkeys(("chat", *TEMPLATES)), "template")] = Field(
        default="chat", description="Its chat template: chat (the tokenizer's own), or a known name."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _require_one_origin(self)
        return self


class Vision(Record):
    """One frozen vision encoder: fetched (`hub`) or made (`make`)."""

    name: Name = Field(description="How studies call this encoder.")
    grid: Grid = Field(description="Patches per side; 24 for CLIP ViT-L/14 at 336 px.")
    hub: ConfigPath | None = Field(
        default=None, description="Where it is fetched: a hub's id, or a local directory; or `make:`."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    params: Parameters | None = Field(
        default=None, description="Exact number of parameters; what was fetched is checked against it."
    )
    make: MadeVision | None = Field(default=None, description="How it is trained from nothing.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _require_one_origin(self)
        return self


class World(Record):
    """A generated world: images, conversations and questions that are made from nothing."""

    recipe: ConfigPath = Field(description="What the world consists of, and the sizes of its data sets.")
    seed: Seed = Field(default=0, description="Of the world's icons and facts.")


class Data(Record):
    """The conversations and images of both stages: downloaded (`manifest`) or generated (`world`)."""

    name: Name = Field(description="How studies call these data.")
    manifest: ConfigPath | None = Field(
        default=None, description="What the data are and where they come from; or `world:`."
    )
    root: ConfigPath | None = Field(
        default=None,
        description="With manifest: folder of the downloaded archives; images unpack there.",
    )
    max_bad_share: Share = Field(
        default=0.0,
        description="Share that may be left out: images that cannot be read, bad conversations.",
    )
    decode: bool = Field(
        default=True,
        description="Decode every image once before training; false: look at headers and ends only.",
    )
    world: World | None = Field(default=None, description="A generated world; or `manifest:`.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.manifest is None) == (self.world is None):
            raise problem("needs either manifest: (downloaded data) or world: (generated data)")
        if (self.manifest is None) != (self.root is None):
            raise problem("manifest and root belong together: write both, or neither")
        if self.world and (self.max_bad_share or not self.decode):
            raise problem("max_bad_share and decode are for downloaded data; take them out")
        return self
