"""From the files of a grid's cells to one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from paretoken.config import Study
from paretoken.contract import ERROR_COLUMNS, ERROR_KEY
from paretoken.errors import UserError
from paretoken.grid import cells
from paretoken.records import demand_unique, read_table


def aggregate(study: Study, files: Sequence[Path]) -> pd.DataFrame:
    """Return tables/errors.csv: every cell of the grid, in the grid's order, every suite.

    The files are given by the grid, never found by searching, so that a cell taken out of the
    config leaves the table.

    Raises:
        UserError: a cell or suite of the grid is missing, is not in the grid, or stands twice.
    """
    tables = [read_table(path, ERROR_COLUMNS) for path in files]
    table = pd.concat([t.dropna(axis=1, how="all") for t in tables], ignore_index=True)
    table = table.reindex(columns=list(ERROR_COLUMNS))
    demand_unique(table, ERROR_KEY, "the cells")
    wanted = [
        (study.name, cell.llm, cell.compressor, cell.tokens, cell.seed, suite.name)
        for suite in study.suites
        for cell in cells(study)
    ]
    found = set(table[list(ERROR_KEY)].itertuples(index=False, name=None))
    for what, difference in (
        ("is missing", [key for key in wanted if key not in found]),
        ("is not in the grid", sorted(found - set(wanted))),
    ):
        if difference:
            raise UserError(f"{len(difference)} cells: the first, {difference[0]}, {what}")
    return table.set_index(list(ERROR_KEY)).loc[wanted].reset_index()[list(ERROR_COLUMNS)]
