"""Records of the sources of a study: language models, vision encoders and training data.

Each is fetched or made. The record says which, and rules distinguish sources by nothing else.
"""

from __future__ import annotations

from pathlib import Path
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
from paretoken.config.safe_paths import ConfigPath, PathInside, contained
from paretoken.registry import TEMPLATES

#: The keys of a record of data that say where the data come from, one of which it has.
ORIGINS = ("manifest", "folder", "world")


class StageGpus(Record):
    """Number of GPUs per job. Results do not depend on it, since the global batch is fixed."""

    pretrain: Gpus = Field(default=1, description="For stage 1.")
    finetune: Gpus = Field(default=1, description="For stage 2.")
    predict: Gpus = Field(default=1, description="For the answers to a benchmark.")


def _require_one_origin(record: Llm | Vision) -> None:
    """Raise a validation error for keys of two origins: one of them would have no effect."""
    if record.make is None:
        return
    for key in ("hub", "revision", "params"):
        if getattr(record, key) is not None:
            raise problem(f"has make and {key}: a model is made or fetched; take one of them out")


class MadeLlm(Record):
    """A language model that is trained from scratch on the questions of a generated world."""

    recipe: ConfigPath = Field(description="File of hyperparameters.")
    width: Width = Field(description="Hidden size.")


class MadeVision(Record):
    """An encoder that is trained from scratch on the images of a generated world."""

    recipe: ConfigPath = Field(description="File of hyperparameters.")


class Llm(Record):
    """One language model of the ladder: fetched (`hub`) or made (`make`)."""

    name: Name = Field(description="Name of this size in studies, folders and tables.")
    params_b: Billions = Field(description="N: nominal size, billions of parameters.")
    hub: ConfigPath | None = Field(
        default=None, description="Where to fetch it: a hub's id, or a local directory; or `make:`."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    params: Parameters | None = Field(
        default=None, description="Exact number of parameters, to which a fetched model is compared."
    )
    make: MadeLlm | None = Field(default=None, description="How to train it from scratch; or `hub:`.")
    gpus: StageGpus = Field(
        default=StageGpus(),
        description="GPUs per stage; jobs of a model that is made request GPUs only if this is set.",
    )
    template: Annotated[str, registered(dict.fromkeys(("chat", *TEMPLATES)), "template")] = Field(
        default="chat",
        description="Its chat template: chat (the tokenizer's own), or a registered name.",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _require_one_origin(self)
        return self


class Vision(Record):
    """One frozen vision encoder: fetched (`hub`) or made (`make`)."""

    name: Name = Field(description="Name of this encoder in studies.")
    grid: Grid = Field(description="Patches per side; 24 for CLIP ViT-L/14 at 336 px.")
    hub: ConfigPath | None = Field(
        default=None, description="Where to fetch it: a hub's id, or a local directory; or `make:`."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    params: Parameters | None = Field(
        default=None, description="Exact number of parameters, to which a fetched model is compared."
    )
    make: MadeVision | None = Field(default=None, description="How to train it from scratch.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _require_one_origin(self)
        return self


class World(Record):
    """A generated world: synthetic images, conversations and questions."""

    recipe: ConfigPath = Field(description="File of the world's contents and of its data sets' sizes.")
    seed: Seed = Field(default=0, description="Seed of the world's icons and facts.")


class Folder(Record):
    """A folder of one's own conversations and images; it is checked, and never changed."""

    path: ConfigPath = Field(description="The folder.")
    pretrain: PathInside = Field(
        default="pretrain.json",
        description="Conversations of stage 1 in the folder: .json, .jsonl, .parquet, or a data set "
        "that `save_to_disk` wrote.",
    )
    finetune: PathInside = Field(
        default="finetune.json", description="Conversations of stage 2; may be the same file."
    )
    images: PathInside | None = Field(
        default="images",
        description="Folder of the images in the folder; null: rows hold their images (.parquet, or "
        "`save_to_disk`).",
    )

    def conversations(self, stage: str) -> Path:
        """Return the path of a stage's conversations."""
        return Path(self.path, getattr(self, stage))

    def image_folder(self) -> Path | None:
        """Return the path of the images; None if rows hold them."""
        return None if self.images is None else Path(self.path, self.images)

    @model_validator(mode="after")
    def _visible(self) -> Self:
        for path in (
            self.conversations("pretrain"),
            self.conversations("finetune"),
            self.image_folder(),
        ):
            contained(str(path or self.path))
        return self


class Data(Record):
    """The conversations and images of both stages: downloaded, one's own, or generated."""

    name: Name = Field(description="Name of these data in studies.")
    manifest: ConfigPath | None = Field(
        default=None,
        description="File that says what the data are and their sources; or `folder:` or `world:`.",
    )
    root: ConfigPath | None = Field(
        default=None,
        description="With manifest: folder of the downloaded archives; images are unpacked there.",
    )
    folder: Folder | None = Field(
        default=None, description="A folder of your own data; or `manifest:` or `world:`."
    )
    max_bad_share: Share = Field(
        default=0.0,
        description="Largest share that may be left out: unreadable images, invalid conversations.",
    )
    decode: bool = Field(
        default=True,
        description="Decode every image once before training; false: check only headers and ends.",
    )
    world: World | None = Field(
        default=None, description="A generated world; or `manifest:` or `folder:`."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(getattr(self, origin) is not None for origin in ORIGINS) != 1:
            raise problem(
                "needs one of manifest: (downloaded data), folder: (your own data) and world: "
                "(generated data)"
            )
        if (self.manifest is None) != (self.root is None):
            raise problem("manifest and root belong together: write both, or neither")
        if self.world and (self.max_bad_share or not self.decode):
            raise problem("max_bad_share and decode are not for a generated world; take them out")
        return self
