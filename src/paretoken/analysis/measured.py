"""Cells whose errors were measured elsewhere and come from a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from paretoken.errors import UserError
from paretoken.grid import Cell
from paretoken.records import ERROR_COLUMNS, demand_unique, read_text_table

KEY = ("llm", "compressor", "visual_tokens", "suite")


def measured_cell(
    path: Path, study: str, cell: Cell, params_b: float, suites: Sequence[str]
) -> pd.DataFrame:
    """Return one cell's rows of tables/errors.csv, one per suite.

    The table has columns ``llm, params_b, compressor, visual_tokens, suite, error`` and may have
    ``seed, stderr, source, flag``.

    Raises:
        UserError: a row is missing or stands twice, an error is no number, or the size differs from
            the config's.
    """
    table = read_text_table(path)
    for name in (*KEY, "params_b", "error"):
        table.column(name)
    rows = table.rows[
        (table.rows["llm"] == cell.llm)
        & (table.rows["compressor"] == cell.compressor)
        & (table.rows["visual_tokens"] == str(cell.tokens))
        & table.rows["suite"].isin(suites)
    ]
    if "seed" in rows:
        rows = rows[rows["seed"] == str(cell.seed)]
    demand_unique(rows, KEY, str(path))
    for suite in suites:
        if suite not in set(rows["suite"]):
            raise UserError(
                f"{path} has no row with llm = {cell.llm}, compressor = {cell.compressor}, "
                f"visual_tokens = {cell.tokens}, suite = {suite}; add it (with an empty error "
                f"if it was not measured), or take the cell or suite out of study {study}"
            )
    sizes = table.numbers(rows, "params_b", above=0)
    if (sizes != params_b).any():
        raise UserError(f"{path} gives {cell.llm} {sizes.iloc[0]:g}B, the config {params_b:g}B")
    measured = rows["error"] != ""
    errors = table.numbers(rows[measured], "error", minimum=0).reindex(rows.index)
    result = rows.assign(study=study, seed=cell.seed, params_b=params_b, error=errors)
    return result.reindex(columns=list(ERROR_COLUMNS)).reset_index(drop=True)
