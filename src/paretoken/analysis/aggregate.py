"""Combine the files of a grid's cells into one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from paretoken.errors import UserError
from paretoken.study.contract import ERROR_COLUMNS, ERROR_KEY
from paretoken.study.table_files import read_table, require_unique


def aggregate(files: Sequence[Path], suites: Sequence[str]) -> pd.DataFrame:
    """Return the content of tables/errors.csv: every cell in the order of ``files``, suite by suite.

    The caller lists the files of the grid, and no folder is searched: a cell that is removed from the
    config leaves the table.

    Raises:
        UserError: a file lacks a suite or has an unexpected one, or a cell is listed twice.
    """
    tables = [_read(path, suites) for path in files]
    table = pd.concat([t.dropna(axis=1, how="all") for t in tables], ignore_index=True)
    table = table.reindex(columns=list(ERROR_COLUMNS))
    require_unique(table, ERROR_KEY, "the cells")
    by_suite = [table[table["suite"] == suite] for suite in suites]
    return pd.concat(by_suite, ignore_index=True)


def _read(path: Path, suites: Sequence[str]) -> pd.DataFrame:
    table = read_table(path, ERROR_COLUMNS)
    if sorted(table["suite"]) != sorted(suites):
        raise UserError(
            f"{path} has the suites {', '.join(table['suite'])}; expected once each: {', '.join(suites)}"
        )
    return table
