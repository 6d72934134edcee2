"""The definition of ``config.yaml``, and its validation.

Sizes are in billions of parameters, token counts are visual tokens per image. Unknown keys are
rejected; numbers written as text (``1e-3`` is text in YAML 1.1) are accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from paretoken.config.devices import BY_NAME
from paretoken.config.error_messages import describe
from paretoken.config.fields import (
    Record,
    as_list,
    registered,
    unique,
)
from paretoken.config.limits import size_problems
from paretoken.config.raw import unwritable_texts
from paretoken.config.references import reference_problems
from paretoken.config.runs import RunName
from paretoken.config.sources import Data, Llm, Vision
from paretoken.config.study import (
    FrozenStudy,
    Study,
)
from paretoken.errors import UserError
from paretoken.io.yaml_files import read_yaml
from paretoken.registry import unknown_name

#: The largest number of problems of a config that one message reports.
MOST_REPORTED = 100


class Config(Record):
    """The whole of ``config.yaml``."""

    run: Annotated[
        list[RunName], Field(min_length=1), BeforeValidator(as_list), AfterValidator(unique)
    ] = Field(
        description="Studies that `snakemake` runs; measured/STUDY: from its recorded tables, in "
        "results/measured/STUDY, without training."
    )
    device: Annotated[str, registered(BY_NAME, "device")] = Field(
        default="a100-80g",
        description="Kind of GPU for which jobs request time and memory; a profile may set it.",
    )
    llms: Annotated[list[Llm], Field(min_length=1)] = Field(description="The language models.")
    vision: Annotated[list[Vision], Field(min_length=1)] = Field(description="The encoders.")
    data: list[Data] = Field(default=[], description="What studies train on.")
    studies: Annotated[list[Study], Field(min_length=1)] = Field(description="The studies.")

    def study(self, name: str) -> Study:
        """Return the study called ``name`` (`UserError` with the valid names otherwise)."""
        for study in self.studies:
            if study.name == name:
                return study
        raise UserError(unknown_name("study", name, [study.name for study in self.studies]))

    def freeze(self, name: str) -> FrozenStudy:
        """Return the study called ``name`` with the records that it refers to.

        The result is cached, since Snakemake asks for it for every job.
        """
        known = self._frozen.get(name)
        if known is None or known[0] is not self:  # a modified copy of a config has this cache, too
            known = self._frozen[name] = self, self._freeze(self.study(name))
        return known[1]

    @cached_property
    def _frozen(self) -> dict[str, tuple[Config, FrozenStudy]]:
        return {}

    def _freeze(self, study: Study) -> FrozenStudy:
        named = {*study.llms, *study.predict}
        llms = [llm for llm in self.llms if llm.name in named]
        vision = next(vision for vision in self.vision if vision.name == study.vision)
        wanted = study.training.data if study.training else None
        data = next((data for data in self.data if data.name == wanted), None)
        return FrozenStudy(study=study, llms=llms, vision=vision, data=data)


def parse(raw: Mapping[str, Any], origin: str = "config.yaml") -> Config:
    """Validate a config as read from YAML and return it.

    Args:
        raw: the mapping from YAML, with the values of ``--config``.
        origin: what messages call the config.

    Raises:
        UserError: the config is invalid; the message has one line per problem.
    """
    raise_for_problems(size_problems(raw), origin)
    problems: list[Iterable[str]] = []
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        problems = [describe(error, Config)]
    raise_for_problems(chain(*problems, unwritable_texts(raw), reference_problems(raw)), origin)
    return config


def raise_for_problems(problems: Iterable[str], origin: str) -> None:
    """Raise `UserError` if there are problems, with one line for each of the first `MOST_REPORTED`."""
    found = list(islice(problems, MOST_REPORTED + 1))
    if found:
        count = len(found) if len(found) <= MOST_REPORTED else f"more than {MOST_REPORTED}"
        listed = "\n".join(f"  - {problem}" for problem in found[:MOST_REPORTED])
        raise UserError(f"{origin} has {count} problem(s):\n{listed}")


def load(path: Path) -> Config:
    """Read and validate a config file (`UserError` if it is missing, not YAML, or invalid)."""
    return parse(read_yaml(path), origin=str(path))


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of ``config.yaml``, for editors."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
