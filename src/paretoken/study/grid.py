"""The cells of a study, and the folder of each cell."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from paretoken.compressors.reach import trained_tokens
from paretoken.errors import UserError

if TYPE_CHECKING:  # the config's records take a while to build, and cells need only their values
    from paretoken.config.study import Study

#: The last three parts of a cell's folder.
FOLDER = re.compile(r"([^/]+)/([^/]+)-(\d+)/s(\d+)")


@dataclass(frozen=True, order=True)
class Cell:
    """One point of the grid: a model that is (or was) trained and evaluated once."""

    llm: str
    compressor: str
    tokens: int
    seed: int

    def folder(self, study: str) -> Path:
        """Return the cell's folder, relative to the project."""
        name = f"{self.compressor}-{self.tokens}"
        return Path("results", study, "runs", self.llm, name, f"s{self.seed}")

    def trained(self, grid_side: int) -> Cell:
        """Return the cell whose trained model answers for this cell.

        It is the cell itself, unless the compressor is elastic: then one model is trained for every V.

        Args:
            grid_side: patches per side of the encoder's grid.
        """
        return replace(self, tokens=trained_tokens(self.compressor, grid_side, self.tokens))

    @classmethod
    def of(cls, folder: Path) -> Cell:
        """Return the cell whose files are in ``folder`` (`UserError` if it is not a cell's folder)."""
        found = FOLDER.fullmatch("/".join(folder.parts[-3:]))
        if found is None:
            raise UserError(
                f"{folder} is not a cell's folder; name one such as .../runs/LLM/COMPRESSOR-V/sSEED"
            )
        llm, compressor, tokens, seed = found.groups()
        return cls(llm, compressor, int(tokens), int(seed))


def cells(study: Study) -> list[Cell]:
    """Return every cell of a study's grid, in the order of the config; blind controls come last.

    A control has no visual tokens, so it is listed once, under the first compressor.
    """
    budgets = [(entry.name, tokens) for entry in study.compressors for tokens in entry.tokens]
    blind = study.training.blind if study.training else []
    grid = [*product(study.llms, budgets), *((llm, (study.compressors[0].name, 0)) for llm in blind)]
    return [
        Cell(llm, compressor, tokens, seed)
        for (llm, (compressor, tokens)), seed in product(grid, study.seeds)
    ]
