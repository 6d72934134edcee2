"""The subject that a rule checks, and its findings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from paretoken.compressors.reach import trained_tokens
from paretoken.config.config import Config
from paretoken.config.sources import Data
from paretoken.config.study import FrozenStudy, Study, Suite
from paretoken.feasibility.points import Point, points_of
from paretoken.io.csv_files import Row
from paretoken.study.measured import read_rows


class Kind(StrEnum):
    """The severity of a finding.

    ``CONFIG``: the config contradicts itself, whatever is on disk; this stops every run. ``FILE``: the
    finding depends on a file that may still change, so it stops only the studies that are run.
    ``WARNING``: it stops nothing.
    """

    CONFIG = "config"
    FILE = "file"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """A problem with a study.

    Attributes:
        study: name of the study.
        place: the key, such as ``studies[3].training.recipes.finetune``.
        sentence: what is wrong, what is allowed and what to do.
        kind: its severity.
    """

    study: str
    place: str
    sentence: str
    kind: Kind = Kind.CONFIG

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


@dataclass(frozen=True)
class Subject:
    """One study of a config, with the properties that rules need."""

    config: Config
    index: int

    @property
    def study(self) -> Study:
        """The study."""
        return self.config.studies[self.index]

    @property
    def training(self) -> Any:
        """How its cells are trained; None for a measured study."""
        return self.study.training

    @property
    def generated(self) -> bool:
        """Whether it is trained on a generated world, by models that are made for it."""
        return self.frozen.generated

    @property
    def fetched(self) -> bool:
        """Whether it is trained on real data, downloaded or one's own, by models that are fetched."""
        return self.frozen.fetched

    @property
    def data(self) -> Data:
        """The data that it is trained on; only for a trained study."""
        assert self.frozen.data is not None  # noqa: S101
        return self.frozen.data

    @cached_property
    def frozen(self) -> FrozenStudy:
        """The study with the records that it refers to."""
        return self.config.freeze(self.study.name)

    @property
    def grid(self) -> int:
        """Patches per side of the encoder's grid."""
        return self.frozen.vision.grid

    @property
    def compressors(self) -> list[str]:
        """The names of its compressors."""
        return [entry.name for entry in self.study.compressors]

    @property
    def largest_tokens(self) -> int:
        """The largest V with which one of its models is trained."""
        return max(
            trained_tokens(entry.name, self.grid, tokens)
            for entry in self.study.compressors
            for tokens in entry.tokens
        )

    @cached_property
    def measured_rows(self) -> list[Row] | None:
        """The rows of the measured table (`UserError` if it cannot be read); None if there is none."""
        return None if self.study.measured is None else read_rows(path_of(self.study.measured))

    def suite(self, role: str) -> Suite | None:
        """Return the first suite with a role; None if there is none."""
        return next((suite for suite in self.study.suites if suite.role == role), None)

    def points(self, suite: str) -> list[Point]:
        """Return the cells with V > 0 of a suite that have, or will have, an error.

        Raises:
            UserError: the measured table cannot be read.
        """
        return points_of(self.frozen, suite, self.measured_rows)

    def llm_place(self, llm: str) -> str:
        """Return the place of a language model's record in the config."""
        return f"llms[{self._places[llm]}]"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {record.name: place for place, record in enumerate(self.config.llms)}

    def data_place(self) -> str:
        """Return the place of its data's record in the config."""
        return f"data[{[record.name for record in self.config.data].index(self.data.name)}]"

    def vision_place(self) -> str:
        """Return the place of the encoder's record in the config."""
        return f"vision[{[record.name for record in self.config.vision].index(self.study.vision)}]"

    def finding(self, key: str, sentence: str, kind: Kind = Kind.CONFIG) -> Finding:
        """Return a finding at a key of the study."""
        return self.elsewhere(f"studies[{self.index}].{key}", sentence, kind)

    def elsewhere(self, place: str, sentence: str, kind: Kind = Kind.CONFIG) -> Finding:
        """Return a finding at another place of the config."""
        return Finding(self.study.name, place, sentence, kind)


def path_of(text: str) -> Path:
    """Return a path of the config with a leading ``~`` expanded to the home directory."""
    return Path(text).expanduser()
