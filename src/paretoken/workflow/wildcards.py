"""The wildcards of rules, and the study that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from paretoken.config.config import Config
from paretoken.config.runs import study_name
from paretoken.config.study import FrozenStudy, Study
from paretoken.study.grid import Cell

#: Snakemake's wildcards: their values, which are all text, are attributes.
Wildcards = Any
#: A function of wildcards that returns options of the command that a rule runs.
Options = Callable[[Wildcards], list[str]]


class Rules:
    """Functions of wildcards for some rules of one config.

    Args:
        config: the valid config.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def frozen(self, wildcards: Wildcards) -> FrozenStudy:
        """Return the study with its records."""
        return self.config.freeze(study_name(wildcards.study))

    def study(self, wildcards: Wildcards) -> Study:
        """Return the study, also of a name that means its recorded tables."""
        return self.config.study(study_name(wildcards.study))

    def training(self, wildcards: Wildcards) -> Any:
        """Return how the study trains its cells."""
        return self.study(wildcards).training

    def max_bad_share(self, wildcards: Wildcards) -> float:
        """Return the largest share of the data that may be left out."""
        data = self.frozen(wildcards).data
        return data.max_bad_share if data else 0.0


def cell_of(wildcards: Wildcards) -> Cell:
    """Return the cell that wildcards name."""
    w = wildcards
    return Cell(w.llm, w.compressor, int(w.tokens), int(w.seed))


def given(option: str, value: object) -> list[str]:
    """Return an option with its value or values; an empty list if there is none."""
    if value is None or value == []:
        return []
    values = value if isinstance(value, list) else [value]
    return [option, *(str(each) for each in values)]


def run_record(folder: Path) -> str:
    """Return the record of a folder, which is written last, when the folder is complete."""
    return str(folder / "run.json")
