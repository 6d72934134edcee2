"""Records of a study: its grid, the fits to its errors, and the figures and claims that use them."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from paretoken.config.constraints import NOTHING, Constraints, read_constraints
from paretoken.config.fields import (
    Name,
    Number,
    Record,
    Seed,
    Text,
    TextTokens,
    Tokens,
    WholeNumber,
    problem,
    registered,
    unique,
)
from paretoken.config.safe_paths import ConfigPath
from paretoken.config.sources import Data, Llm, Vision, World
from paretoken.config.training import Training
from paretoken.errors import UserError
from paretoken.io.ranges import MOST_REPLICATES
from paretoken.registry import CLAIMS, COMPRESSORS, FIGURES, LAWS, unknown_name

Loss = Literal["squared", "log_squared", "huber", "log_huber", "l1"]
Role = Literal["reasoning", "ocr", "control"]


class Compression(Record):
    """One compressor and the numbers of visual tokens at which it is studied."""

    name: Annotated[str, registered(COMPRESSORS, "compressor")] = Field(
        description="A registered compressor."
    )
    tokens: Annotated[list[Tokens], Field(min_length=1), AfterValidator(unique)] = Field(
        description="V: visual tokens per image; each must be reachable from the encoder's grid."
    )


class Suite(Record):
    """One average of benchmarks, to which laws are fitted."""

    name: Name = Field(description="The value of the `suite` column in tables/errors.csv.")
    title: Text = Field(description="Its name in figures and pages.")
    role: Role = Field(description="Which claims and figures of the paper use it.")
    benchmarks: Annotated[list[str], AfterValidator(unique)] = Field(
        default=[], description="The benchmarks that it averages; only for trained studies."
    )


class Published(Record):
    """Published numbers that a study is compared with; paths relative to the project."""

    values: ConfigPath = Field(description="Keyed table of the paper's parameters and statements.")
    table1: ConfigPath | None = Field(default=None, description="Keyed table of the paper's Table 1.")
    dimensions: ConfigPath | None = Field(
        default=None, description="Exact parameter counts, for other conventions of N."
    )


class FitSettings(Record):
    """Settings of the fits of laws."""

    laws: Annotated[
        list[Annotated[str, registered(LAWS, "law")]],
        AfterValidator(unique),
    ] = Field(
        default=["product"],
        description="Laws to fit. The first one is the headline, which figures, claims and frontier "
        "use. Empty: the study compares methods, and nothing is fitted.",
    )
    loss: Loss = Field(default="squared", description="The loss that a fit minimises.")
    huber_delta: Number | None = Field(
        default=None,
        description="Where a Huber loss turns linear (default 1e-3); only for Huber losses.",
    )
    bootstrap: Annotated[WholeNumber, Field(le=MOST_REPLICATES)] = Field(
        default=1000, description="Bootstrap replicates per interval; 0: no intervals."
    )
    seed: Seed = Field(default=0, description="Seed of the bootstrap.")
    law_text_tokens: TextTokens = Field(
        default=50, description="Q in the error of product_q_plus_v (other laws ignore it)."
    )
    tie: Annotated[list[Text], AfterValidator(unique)] = Field(
        default=[], description="Exponents of the first law that are fitted as one: [alpha=beta]."
    )
    fix: Annotated[list[Text], AfterValidator(unique)] = Field(
        default=[], description="Parameters of the first law that are not fitted: [D=0, alpha=0.077]."
    )
    chance: Number | None = Field(
        default=None, description="Error of guessing, at which the first law saturates (product laws)."
    )

    @property
    def constraints(self) -> Constraints:
        """The constraints on the first law's parameters."""
        return read_constraints(self.laws[0], self.tie, self.fix, self.chance) if self.laws else NOTHING

    @model_validator(mode="after")
    def _constraints_are_valid(self) -> Self:
        if not self.laws and (self.tie or self.fix or self.chance is not None):
            raise problem("tie, fix and chance are about the first law, and laws is []; take them out")
        try:
            _ = self.constraints
        except UserError as error:
            raise problem(str(error).replace("--", "fit.")) from error
        return self

    @model_validator(mode="after")
    def _huber_delta_has_an_effect(self) -> Self:
        if self.huber_delta is not None and "huber" not in self.loss:
            raise problem(
                f"huber_delta has no effect on the loss {self.loss}; take it out, or write loss: huber "
                "or log_huber"
            )
        return self


class Study(Record):
    """A grid of cells (llm x compressor x tokens x seed) and the analysis of its errors."""

    name: Name = Field(description="Name of the study, and of its folder under results/.")
    question: Text = Field(description="Question that the study answers; heading of its summary page.")
    measured: ConfigPath | None = Field(
        default=None, description="Table with one measured error per cell and suite; or `training:`."
    )
    training: Training | None = Field(
        default=None, description="How to train the cells; or `measured:`."
    )
    vision: Name = Field(description="A record under `vision:`.")
    llms: Annotated[list[Name], Field(min_length=1), AfterValidator(unique)] = Field(
        description="The sizes of the grid: names of records under `llms:`."
    )
    compressors: Annotated[list[Compression], Field(min_length=1)] = Field(
        description="The compressors of the grid, each with its token counts."
    )
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)] = Field(
        default=[0], description="One grid per seed."
    )
    suites: Annotated[list[Suite], Field(min_length=1)] = Field(
        description="The averages to which laws are fitted."
    )
    holdout: Annotated[list[Name], AfterValidator(unique)] = Field(
        default=[],
        description="Sizes of the grid left out of every fit, then compared with its predictions.",
    )
    predict: Annotated[list[Name], AfterValidator(unique)] = Field(
        default=[], description="Sizes outside the grid whose errors the fit predicts."
    )
    text_tokens: Annotated[list[TextTokens], Field(min_length=1), AfterValidator(unique)] = Field(
        default=[0, 25, 50, 100, 200], description="Q: text tokens per question, for the frontier."
    )
    budget_gpu_hours: Number | None = Field(
        default=None, description="GPU-hours; `paretoken plan` fails if the study would take more."
    )
    latency: ConfigPath | None = Field(
        default=None, description="Table of `paretoken latency`, for costs in time and energy; a path."
    )
    price_per_hour: Number | None = Field(
        default=None,
        description="Price of the device of `latency:`, in any currency; for costs in money.",
    )
    fit: FitSettings = Field(default=FitSettings(), description="How the laws are fitted.")
    figures: Annotated[list[Annotated[str, registered(FIGURES, "figure")]], AfterValidator(unique)] = (
        Field(default=[], description="Which figures are drawn.")
    )
    published: Published | None = Field(
        default=None, description="Published numbers to compare with; needed by most claims."
    )
    claims: Annotated[list[Annotated[str, registered(CLAIMS, "claim")]], AfterValidator(unique)] = Field(
        default=[], description="Which claims of the paper are tested."
    )

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks that suites average, each once."""
        return list(dict.fromkeys(name for suite in self.suites for name in suite.benchmarks))


class FrozenStudy(Record):
    """A study and the records that it refers to: what `results/<study>/study.json` holds."""

    study: Study
    llms: list[Llm]
    vision: Vision
    data: Data | None = None

    @property
    def world(self) -> World | None:
        """The generated world that it is trained on; None if it has none."""
        return self.data.world if self.data else None

    @property
    def generated(self) -> bool:
        """Whether its data are generated; its sources are then made once per seed instead of fetched."""
        return self.world is not None

    @property
    def fetched(self) -> bool:
        """Whether it is trained on real data, downloaded or one's own, by models that are fetched."""
        return self.data is not None and self.data.world is None

    def params_b(self, llm: str) -> float:
        """Return the size of ``llm`` in billions (`UserError` if the study does not have it)."""
        return self.llm(llm).params_b

    def llm(self, llm: str) -> Llm:
        """Return the record of ``llm`` (`UserError` if the study does not have it)."""
        if llm not in self._by_name:
            raise UserError(unknown_name("llm", llm, self._by_name))
        return self._by_name[llm]

    @cached_property
    def _by_name(self) -> dict[str, Llm]:
        return {record.name: record for record in self.llms}
