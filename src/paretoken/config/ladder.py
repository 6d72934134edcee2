"""Records of what a study is made from: language models and vision encoders."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from paretoken.config.fields import (
    Billions,
    Gpus,
    Grid,
    Name,
    Parameters,
    Record,
    Text,
    Width,
    registered,
)
from paretoken.config.paths import ConfigPath
from paretoken.registry import TEMPLATES


class StageGpus(Record):
    """How many GPUs a job takes; results do not depend on it, since the global batch is fixed."""

    pretrain: Gpus = Field(default=1, description="For stage 1.")
    finetune: Gpus = Field(default=1, description="For stage 2.")
    predict: Gpus = Field(default=1, description="For the answers to a benchmark.")


class Llm(Record):
    """One language model of the ladder: trained by a miniature study, or fetched by a llava study."""

    name: Name = Field(description="How studies, folders and tables call this size.")
    params_b: Billions = Field(description="N: nominal size, billions of parameters.")
    width: Width | None = Field(
        default=None, description="Hidden size, if a miniature study trains it; else left out."
    )
    hub: ConfigPath | None = Field(
        default=None, description="Where a llava study fetches it: a hub's id, or a local directory."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    params: Parameters | None = Field(
        default=None, description="Exact number of parameters; what was fetched is checked against it."
    )
    gpus: StageGpus = Field(
        default=StageGpus(),
        description="GPUs per stage; a miniature study asks a cluster for them only if they are said.",
    )
    template: Annotated[str, registered(dict.fromkeys(("chat", *TEMPLATES)), "template")] = Field(
        default="chat", description="Its chat template: chat (the tokenizer's own), or a known name."
    )


class Vision(Record):
    """One frozen vision encoder."""

    name: Name = Field(description="How studies call this encoder.")
    grid: Grid = Field(description="Patches per side; 24 for CLIP ViT-L/14 at 336 px.")
    hub: ConfigPath | None = Field(
        default=None, description="Where a llava study fetches it: a hub's id, or a local directory."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    params: Parameters | None = Field(
        default=None, description="Exact number of parameters; what was fetched is checked against it."
    )
