"""How the cells of a trained study come to be: everything from nothing, or the paper's recipe."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, StrictBool, model_validator

from paretoken.config.fields import (
    Assignment,
    Count,
    Name,
    Number,
    Record,
    Seed,
    Share,
    Size,
    Text,
    TextTokens,
    WholeNumber,
    Width,
    check_registered,
    problem,
    registered,
    unique,
)
from paretoken.config.paths import ConfigPath
from paretoken.registry import BENCHMARKS, TEMPLATES

#: What a miniature study asks, all of them scored by exact match.
Benchmark = Literal["fact", "number", "property", "read_sparse", "read_dense", "name"]
MINIATURE_BENCHMARKS = get_args(Benchmark)
#: Ways to score any answers: no data set stands behind them.
SCORERS_ONLY = ("exact_match",)

Harness = Literal["paretoken", "lmms_eval"]
#: Names of tasks of another harness; they become names of files and wildcards.
HARNESS_NAME = re.compile(r"[a-z0-9_]+")
#: Harness -> the keys that mean something to the other one only.
KEYS_OF_OTHERS = {
    "paretoken": ("task", "metric", "maximum", "include", "allow_code", "count"),
    "lmms_eval": ("source", "revision", "questions", "scoring"),
}

INCLUDE_RUNS_CODE = (
    "include: task files of lmms_eval name Python functions (!function), which run with all rights of "
    "the user; read them, then add allow_code: true, or take include out"
)

NO_COUNT = (
    "count: is missing: the time of jobs is reckoned from how many questions a task of lmms_eval asks; "
    "write count: and their number, or limit: to ask only so many"
)

#: `chat`: that of each language model's record; `plain`: none, image, caption and end of text;
#: `plain_llava`: as LLaVA-1.5, with a line end, which cannot end the answers of stage 2.
PretrainTemplate = Annotated[
    str, registered(dict.fromkeys(("chat", "plain", "plain_llava", *TEMPLATES)), "template")
]
FinetuneTemplate = Annotated[str, registered(dict.fromkeys(("chat", *TEMPLATES)), "template of stage 2")]
Aspect = Literal["crop", "pad"]
Blind = Annotated[list[Name], AfterValidator(unique)]


def benchmarks_of(kind: str) -> list[str]:
    """Return what a trained study of a kind can be asked: its six, or every registered data set."""
    if kind == "miniature":
        return list(MINIATURE_BENCHMARKS)
    return [name for name in BENCHMARKS if name not in SCORERS_ONLY]


class MiniatureRecipes(Record):
    """How a miniature study makes its sources and trains its cells; paths relative to the project."""

    world: ConfigPath = Field(description="The generated world, its images and conversations.")
    vision: ConfigPath = Field(description="Training of the vision encoder.")
    llm: ConfigPath = Field(description="Training of the language models.")
    pretrain: ConfigPath = Field(description="Stage 1: projector and compressor.")
    finetune: ConfigPath = Field(description="Stage 2: the language model too.")


class MiniatureTraining(Record):
    """Backbones and data from nothing, then two stages."""

    kind: Literal["miniature"] = Field(description="miniature: everything is generated and trained.")
    world_seed: Seed = Field(default=0, description="Seed of the world's icons and facts.")
    layers: Annotated[list[WholeNumber], Field(min_length=1), AfterValidator(unique)] = Field(
        description="Hidden states of the encoder that the projector sees."
    )
    projector_width: Width = Field(description="Inner width of the projector.")
    whiten: bool = Field(default=False, description="Whether the projector's inputs are whitened.")
    init_std: Size | None = Field(
        default=None,
        description="Of new weights of compressors that fix it (0.02, for CLIP's 1024 channels).",
    )
    recipes: MiniatureRecipes = Field(description="Files of hyperparameters.")
    lengthened: Annotated[list[Annotated[TextTokens, Field(ge=1)]], AfterValidator(unique)] = Field(
        default=[],
        description="Q: questions are also asked at these lengths, in text tokens of a prompt.",
    )
    blind: Blind = Field(
        default=[],
        description="Sizes that are also trained without an image (V = 0): in the tables, in no fit.",
    )


class LlavaRecipes(Record):
    """How a llava study trains its cells; paths relative to the project."""

    pretrain: ConfigPath = Field(description="Stage 1: projector and compressor.")
    finetune: ConfigPath = Field(description="Stage 2: the language model too.")


class LlavaData(Record):
    """The conversations and images of both stages."""

    manifest: ConfigPath = Field(description="What the data are and where they come from; a path.")
    root: ConfigPath = Field(
        description="Folder that holds the downloaded archives; images unpack there."
    )
    max_bad_share: Share = Field(
        default=0.0,
        description="Share that may be left out: images that cannot be read, bad conversations.",
    )
    decode: bool = Field(
        default=True,
        description="Decode every image once before training; false: look at headers and ends only.",
    )


class StageOverrides(Record):
    """Changes to the recipes, as `paretoken train --set` takes them."""

    pretrain: list[Assignment] = Field(
        default=[], description="KEY=VALUE for stage 1, such as learning_rates.projector=2e-3."
    )
    finetune: list[Assignment] = Field(
        default=[], description="KEY=VALUE for stage 2, such as global_batch=128."
    )


class StageTemplates(Record):
    """How conversations are written."""

    pretrain: PretrainTemplate = Field(
        default="plain",
        description="Stage 1; plain: captions only, each with an end token; plain_llava: as LLaVA-1.5, "
        "with a line end (docs/training_data.md).",
    )
    finetune: FinetuneTemplate = Field(
        default="chat", description="Stage 2 and benchmarks; chat: each model's own."
    )


class StageAspects(Record):
    """How an image becomes square: `crop` its centre, or `pad` it with the mean colour."""

    pretrain: Aspect = Field(default="crop", description="Stage 1; LLaVA-1.5: crop.")
    finetune: Aspect = Field(default="pad", description="Stage 2 and benchmarks; LLaVA-1.5: pad.")


class BenchmarkSettings(Record):
    """What a study does differently for one benchmark than its registered conventions."""

    name: Text = Field(description="A registered benchmark that some suite averages, or a new name.")
    harness: Harness = Field(
        default="paretoken",
        description="Who asks and scores. lmms_eval: one of its tasks, under a name of its own.",
    )
    source: ConfigPath | None = Field(
        default=None, description="Where its data set is: a hub's id, or a local directory."
    )
    revision: Text | None = Field(default=None, description="Commit of the hub's repository.")
    questions: Name | None = Field(
        default=None, description="A variant of what is asked (another split, or prompt): asks again."
    )
    scoring: Name | None = Field(
        default=None, description="A variant of how answers are scored: scores again, asks nothing."
    )
    limit: Count | None = Field(default=None, description="Ask only so many questions, for a trial.")
    task: Text | None = Field(default=None, description="lmms_eval: the task; by default the name.")
    count: Count | None = Field(
        default=None, description="lmms_eval: how many questions the task asks, which plans need."
    )
    metric: Text | None = Field(
        default=None, description="lmms_eval: which metric is the score, if the task has several."
    )
    maximum: Number | None = Field(
        default=None, description="lmms_eval: what the metric can reach, such as 100 (default 1)."
    )
    include: ConfigPath | None = Field(
        default=None,
        description="lmms_eval: a folder of task files besides its own; a path. Task files run Python: "
        "needs allow_code.",
    )
    allow_code: StrictBool | None = Field(
        default=None, description="lmms_eval: whether the code of the task files in include may run."
    )

    @model_validator(mode="after")
    def _fits_harness(self) -> Self:
        if self.harness == "paretoken":
            check_registered(self.name, BENCHMARKS, "benchmark")
        elif self.name in BENCHMARKS or not HARNESS_NAME.fullmatch(self.name):
            raise problem(
                f"{self.name!r} cannot name a task of lmms_eval: write another name, of a-z, 0-9 and _ "
                "and not one of this project's benchmarks, and put the task under `task:`"
            )
        wrong = [key for key in KEYS_OF_OTHERS[self.harness] if getattr(self, key) is not None]
        if wrong:
            raise problem(f"{', '.join(wrong)}: not for harness: {self.harness}; take it out")
        if self.harness == "lmms_eval" and self.count is None and self.limit is None:
            raise problem(NO_COUNT)
        if self.include is not None and not self.allow_code:
            raise problem(INCLUDE_RUNS_CODE)
        if self.allow_code and self.include is None:
            raise problem("allow_code: there is no include whose code could run; take it out")
        return self


class LlavaTraining(Record):
    """The paper's study: fetched backbones, LLaVA-1.5's data and two stages, public benchmarks."""

    kind: Literal["llava"] = Field(description="llava: backbones and data sets are fetched.")
    data: LlavaData = Field(description="What both stages are trained on.")
    recipes: LlavaRecipes = Field(description="Files of hyperparameters.")
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
        "stage 1 take 576 patches x 4 layers x 1024 channels x 2 bytes each, 2.6 TB.",
    )
    benchmarks: list[BenchmarkSettings] = Field(
        default=[], description="Benchmarks that this study handles in a way of its own."
    )
    blind: Blind = Field(
        default=[],
        description="Sizes that are also trained without an image (V = 0): in the tables, in no fit.",
    )

    def settings(self, benchmark: str) -> BenchmarkSettings:
        """Return what the study does differently for a benchmark (by default, nothing)."""
        found = (entry for entry in self.benchmarks if entry.name == benchmark)
        return next(found, None) or BenchmarkSettings(name=benchmark)

    def harnessed(self) -> list[str]:
        """Return the benchmarks that another harness asks and scores."""
        return [entry.name for entry in self.benchmarks if entry.harness != "paretoken"]


Training = Annotated[MiniatureTraining | LlavaTraining, Field(discriminator="kind")]
