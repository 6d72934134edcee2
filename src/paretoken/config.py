"""The only definition of ``config.yaml``: what is studied, as records with a name.

Sizes are in billions of parameters, token counts are visual tokens per image. Unknown keys are
refused; numbers written as text (``1e-3`` is text in YAML 1.1) are accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from paretoken.config_errors import describe, reference_problems
from paretoken.errors import UserError
from paretoken.registry import CLAIMS, FIGURES, LAWS, Registry, unknown_name
from paretoken.tokens import COMPRESSORS
from paretoken.yaml_files import read_yaml


def _problem(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("problem", "{sentence}", {"sentence": sentence})


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise _problem("is true or false; write a number")
    return value


def _registered(registry: Registry | Mapping[str, Any], kind: str) -> AfterValidator:
    def check(name: str) -> str:
        if name not in registry:
            raise _problem(unknown_name(kind, name, registry))
        return name

    return AfterValidator(check)


def _unique(values: list[Any]) -> list[Any]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise _problem(f"lists {', '.join(map(str, twice))} twice; write each once")
    return values


def _as_list(value: Any) -> Any:
    """Let ``--config run=paper`` mean ``run=[paper]``."""
    return [value] if isinstance(value, str) else value


#: Names become folders, wildcards and job names.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Number = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, allow_inf_nan=False)]
Size = Annotated[Number, Field(le=100_000)]
Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1)]
WholeNumber = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0)]
Loss = Literal["squared", "log_squared", "huber", "log_huber", "l1"]
Role = Literal["reasoning", "ocr", "control"]
#: What a trained study of a kind can be asked; a suite is an average over some of them.
Benchmark = Literal["fact", "number", "property", "read_sparse", "read_dense", "name"]


class Record(BaseModel):
    """A block of the config: immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Llm(Record):
    """One language model of the ladder."""

    name: Name = Field(description="How studies, folders and tables call this size.")
    params_b: Size = Field(description="N: nominal size, billions of parameters.")
    width: Count | None = Field(
        default=None, description="Hidden size, if a miniature study trains it; else left out."
    )


class Vision(Record):
    """One frozen vision encoder."""

    name: Name = Field(description="How studies call this encoder.")
    grid: Count = Field(description="Patches per side; 24 for CLIP ViT-L/14 at 336 px.")


class Compression(Record):
    """One compressor and the visual-token counts it is studied at."""

    name: Annotated[str, _registered(COMPRESSORS, "compressor")] = Field(
        description="A registered compressor."
    )
    tokens: Annotated[list[Count], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="V: visual tokens per image; each must be reachable from the encoder's grid."
    )


class Suite(Record):
    """One average of benchmarks, with a law of its own."""

    name: Name = Field(description="The value of the `suite` column in tables/errors.csv.")
    title: str = Field(description="What figures and pages call it.")
    role: Role = Field(description="Which claims and figures of the paper it answers.")
    benchmarks: Annotated[list[Benchmark], AfterValidator(_unique)] = Field(
        default=[], description="What it averages; for trained studies only."
    )


class Published(Record):
    """Published numbers that a study is compared with; paths relative to the project."""

    values: str = Field(description="Keyed table of the paper's parameters and statements.")
    table1: str | None = Field(default=None, description="Keyed table of the paper's Table 1.")
    dimensions: str | None = Field(
        default=None, description="Exact parameter counts, for other conventions of N."
    )


class Recipes(Record):
    """How a trained study makes its sources and trains its cells; paths relative to the project."""

    world: str = Field(description="The generated world, its images and conversations.")
    vision: str = Field(description="Training of the vision encoder.")
    llm: str = Field(description="Training of the language models.")
    pretrain: str = Field(description="Stage 1: projector and compressor.")
    finetune: str = Field(description="Stage 2: the language model too.")


class Training(Record):
    """How the cells of a study come to be: backbones and data from nothing, then two stages."""

    kind: Literal["miniature"] = Field(description="miniature: everything is generated and trained.")
    world_seed: WholeNumber = Field(default=0, description="Seed of the world's icons and facts.")
    layers: Annotated[list[WholeNumber], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="Hidden states of the encoder that the projector sees."
    )
    projector_width: Count = Field(description="Inner width of the projector.")
    whiten: bool = Field(default=False, description="Whether the projector's inputs are whitened.")
    recipes: Recipes = Field(description="Files of hyperparameters.")
    blind: Annotated[list[Name], AfterValidator(_unique)] = Field(
        default=[],
        description="Sizes that are also trained without an image (V = 0): in the tables, in no fit.",
    )


class FitSettings(Record):
    """How the laws are fitted."""

    laws: Annotated[
        list[Annotated[str, _registered(LAWS, "law")]],
        Field(min_length=1),
        AfterValidator(_unique),
    ] = Field(
        default=["product"],
        description="The first one is the headline: figures, claims and frontier use it.",
    )
    loss: Loss = Field(default="squared", description="What is minimised.")
    huber_delta: Number = Field(default=1e-3, description="Where the Huber loss turns linear.")
    bootstrap: WholeNumber = Field(default=1000, description="Replicates per interval; 0: none.")
    seed: WholeNumber = Field(default=0, description="Seed of the bootstrap.")
    law_text_tokens: WholeNumber = Field(
        default=50, description="Q inside the error of product_q_plus_v (other laws ignore it)."
    )


class Study(Record):
    """A grid of cells (llm x compressor x tokens x seed) and what is made of its errors."""

    name: Name = Field(description="The folder under results/.")
    question: str = Field(description="What the study answers; heads its summary page.")
    measured: str | None = Field(
        default=None, description="Table with one measured error per cell and suite; or `training:`."
    )
    training: Training | None = Field(
        default=None, description="How to train the cells; or `measured:`."
    )
    vision: Name = Field(description="A record under `vision:`.")
    llms: Annotated[list[Name], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="The sizes of the grid: names of records under `llms:`."
    )
    compressors: Annotated[list[Compression], Field(min_length=1)] = Field(
        description="The token counts of the grid."
    )
    seeds: Annotated[list[WholeNumber], Field(min_length=1), AfterValidator(_unique)] = Field(
        default=[0], description="One grid per seed."
    )
    suites: Annotated[list[Suite], Field(min_length=1)] = Field(description="Which averages are fitted.")
    holdout: Annotated[list[Name], AfterValidator(_unique)] = Field(
        default=[], description="Sizes of the grid kept out of every fit, predicted and compared."
    )
    predict: Annotated[list[Name], AfterValidator(_unique)] = Field(
        default=[], description="Sizes outside the grid whose errors the fit predicts."
    )
    text_tokens: Annotated[list[WholeNumber], Field(min_length=1), AfterValidator(_unique)] = Field(
        default=[0, 25, 50, 100, 200], description="Q: text tokens per question, for the frontier."
    )
    fit: FitSettings = Field(default=FitSettings(), description="How the laws are fitted.")
    figures: Annotated[list[Annotated[str, _registered(FIGURES, "figure")]], AfterValidator(_unique)] = (
        Field(default=[], description="Which figures are drawn.")
    )
    published: Published | None = Field(
        default=None, description="Published numbers to compare with; needed by most claims."
    )
    claims: Annotated[list[Annotated[str, _registered(CLAIMS, "claim")]], AfterValidator(_unique)] = (
        Field(default=[], description="Which claims of the paper are tested.")
    )


class FrozenStudy(Record):
    """A study and the records that it refers to: what `results/<study>/study.json` holds."""

    study: Study
    llms: list[Llm]
    vision: Vision

    def params_b(self, llm: str) -> float:
        """Return the size of ``llm`` in billions (`UserError` if the study does not know it)."""
        return self.llm(llm).params_b

    def llm(self, llm: str) -> Llm:
        """Return the record of ``llm`` (`UserError` if the study does not know it)."""
        for record in self.llms:
            if record.name == llm:
                return record
        raise UserError(unknown_name("llm", llm, [record.name for record in self.llms]))


class Config(Record):
    """The whole of ``config.yaml``."""

    run: Annotated[
        list[Name], Field(min_length=1), BeforeValidator(_as_list), AfterValidator(_unique)
    ] = Field(description="Studies that `snakemake` runs.")
    llms: Annotated[list[Llm], Field(min_length=1)] = Field(description="The language models.")
    vision: Annotated[list[Vision], Field(min_length=1)] = Field(description="The encoders.")
    studies: Annotated[list[Study], Field(min_length=1)] = Field(description="The studies.")

    def study(self, name: str) -> Study:
        """Return the study called ``name`` (`UserError` with the valid names otherwise)."""
        for study in self.studies:
            if study.name == name:
                return study
        raise UserError(unknown_name("study", name, [study.name for study in self.studies]))

    def freeze(self, name: str) -> FrozenStudy:
        """Return the study called ``name`` with the records that it refers to."""
        study = self.study(name)
        llms = [llm for llm in self.llms if llm.name in {*study.llms, *study.predict}]
        vision = next(vision for vision in self.vision if vision.name == study.vision)
        return FrozenStudy(study=study, llms=llms, vision=vision)


def parse(raw: Mapping[str, Any], origin: str = "config.yaml") -> Config:
    """Check a config as read from YAML and return it typed.

    Args:
        raw: the mapping that YAML (and ``--config``) made.
        origin: what to call it in messages.

    Raises:
        UserError: everything that is wrong, at once; one line per problem.
    """
    problems: list[str] = []
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        problems += describe(error, Config)
    problems += reference_problems(raw)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise UserError(f"{origin} has {len(problems)} problem(s):\n{listed}")
    return config


def load(path: Path) -> Config:
    """Read and check a config file (`UserError` if it is missing, no YAML, or wrong)."""
    return parse(read_yaml(path), origin=str(path))


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of ``config.yaml``, for editors."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
