"""What a rule looks at, and what it finds."""

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
    """How much a finding weighs.

    ``CONFIG`` contradicts itself whatever is on disk; ``FILE`` rests on a file that may still change, so
    it stops only the studies that are run; a ``WARNING`` stops nothing.
    """

    CONFIG = "config"
    FILE = "file"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a study.

    Attributes:
        study: its name.
        place: the key, such as ``studies[3].training.recipes.finetune``.
        sentence: what is wrong, what is allowed and what to do.
        kind: how much it weighs.
    """

    study: str
    place: str
    sentence: str
    kind: Kind = Kind.CONFIG

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


@dataclass(frozen=True)
class Subject:
    """One study of a config, with what rules ask about it."""

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
        """Whether it is trained on downloaded data, by models that are fetched."""
        return self.frozen.fetched

    @property
    def data(self) -> Data:
        """What it is trained on; only of a trained study."""
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
        """The largest V that a model of it is trained with."""
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
        """Return the first suite with a role."""
        return next((suite for suite in self.study.suites if suite.role == role), None)

    def points(self, suite: str) -> list[Point]:
        """Return the cells with V > 0 of a suite that have, or will have, an error.

        Raises:
            UserError: the measured table cannot be read.
        """
        return points_of(self.frozen, suite, self.measured_rows)

    def llm_place(self, llm: str) -> str:
        """Return where the record of a language model stands."""
        return f"llms[{self._places[llm]}]"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {record.name: place for place, record in enumerate(self.config.llms)}

    def data_place(self) -> str:
        """Return where the record of its data stands."""
        return f"data[{[record.name for record in self.config.data].index(self.data.name)}]"

    def vision_place(self) -> str:
        """Return where the record of the encoder stands."""
        return f"vision[{[record.name for record in self.config.vision].index(self.study.vision)}]"

    def finding(self, key: str, sentence: str, kind: Kind = Kind.CONFIG) -> Finding:
        """Return a finding at a key of the study."""
        return self.elsewhere(f"studies[{self.index}].{key}", sentence, kind)

    def elsewhere(self, place: str, sentence: str, kind: Kind = Kind.CONFIG) -> Finding:
        """Return a finding at another place of the config."""
        return Finding(self.study.name, place, sentence, kind)


def path_of(text: str) -> Path:
    """Return a path that the config names; ``~`` is the home directory."""
    return Path(text).expanduser()
