"""Cells whose errors were measured elsewhere and come from a table.

Only `csv` is used: this runs once per cell, and importing pandas would take longer than the work.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.csv_files import Row
from paretoken.io.csv_tables import number_in, table_rows
from paretoken.io.escape import csv_row, shown
from paretoken.io.files import write_text
from paretoken.io.numerals import number_of
from paretoken.study.contract import ERROR_COLUMNS
from paretoken.study.error_scale import contradicts, mixed_scales
from paretoken.study.grid import Cell

REQUIRED = ("llm", "params_b", "compressor", "visual_tokens", "suite", "error")
#: The column of scores for the same cells from another edition of the source.
ALTERNATIVE = "alternative_score"
#: The column of scores beside the errors; an error is 1 - score.
SCORE = "score"


def measured_cell(
    path: Path, study: str, cell: Cell, params_b: float, suites: Sequence[str]
) -> list[Row]:
    """Return one cell's rows of errors.csv, one per suite and in their order.

    The table has the columns `REQUIRED` and may have ``seed`` (else 0), ``stderr``, ``source``,
    ``flag`` and `SCORE`. An empty error stays empty: the cell was not measured.

    Raises:
        UserError: the table cannot be read, a row is missing or duplicate, an error is not a number
            >= 0 or contradicts its score, or the size differs from the config's.
    """
    rows = [row for row in read_rows(path) if _belongs(row, cell)]
    return [_one(path, study, cell, params_b, suite, rows) for suite in suites]


def rows_of_cells(rows: Sequence[Row], cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Row]]]:
    """Yield each cell with its rows of a table, of all suites."""
    models: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        models.setdefault((row["llm"], row["compressor"]), []).append(row)
    for cell in cells:
        of_model = models.get((cell.llm, cell.compressor), [])
        yield cell, [row for row in of_model if _belongs(row, cell)]


def table_problems(
    path: Path, study: str, cells: Sequence[Cell], sizes: Mapping[str, float], suites: Sequence[str]
) -> list[str]:
    """Return all problems for which `measured_cell` or `alternative_errors` would reject a table.

    Percentages among the shares of a suite, which only the whole table shows, are a problem, too.

    Args:
        path: the table.
        study: name of the study.
        cells: the cells of its grid.
        sizes: billions of parameters by language model.
        suites: names of its suites.

    Raises:
        UserError: the table cannot be read.
    """
    problems, table = [], read_rows(path)
    for cell, rows in rows_of_cells(table, cells):
        for suite in suites:
            try:
                _one(path, study, cell, sizes[cell.llm], suite, rows)
            except UserError as error:
                problems.append(str(error))
    for suite, errors in suite_errors(table, cells, suites).items():
        mixed = mixed_scales(errors)
        if mixed is not None:
            problems.append(
                f"{path}, suite = {suite}: errors are both shares of 0 to 1, such as {mixed[0]:g}, and "
                f"percentages, such as {mixed[1]:g}; divide the percentages by 100"
            )
    try:
        _alternative_errors(path, table)
    except UserError as error:
        problems.append(str(error))
    return problems


def suite_errors(
    table: Sequence[Row], cells: Sequence[Cell], suites: Sequence[str]
) -> dict[str, list[float]]:
    """Return the errors of cells by suite, without empty ones and those that are not numbers >= 0."""
    found: dict[str, list[float]] = {suite: [] for suite in suites}
    for _, rows in rows_of_cells(table, cells):
        for row in rows:
            error = number_of(row["error"])
            if row["suite"] in found and 0 <= error < math.inf:
                found[row["suite"]].append(error)
    return found


def alternative_errors(path: Path) -> list[tuple[Row, float]]:
    """Return the rows of a table that have an `ALTERNATIVE` score, each with the error 1 - score.

    Raises:
        UserError: the table cannot be read, or such a score is not a number from 0 to 1.
    """
    return _alternative_errors(path, read_rows(path))


def _alternative_errors(path: Path, rows: Sequence[Row]) -> list[tuple[Row, float]]:
    return [
        (row, 1 - number_in(f"{path}, row {line}", row, ALTERNATIVE, most=1))
        for line, row in enumerate(rows, start=2)
        if row.get(ALTERNATIVE)
    ]


def write_cell(path: Path, rows: Sequence[Row], columns: Sequence[str] = ERROR_COLUMNS) -> None:
    """Write a cell's errors.csv (or another of its tables) atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(map(csv_row, rows))
    write_text(path, text.getvalue())


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a table of measured errors (`UserError` if it cannot be read as one)."""
    return table_rows(path, REQUIRED)


def _belongs(row: Row, cell: Cell) -> bool:
    same = (row["llm"], row["compressor"]) == (cell.llm, cell.compressor)
    return (
        same
        and is_number(row["visual_tokens"], cell.tokens)
        and is_number(row.get("seed") or "0", cell.seed)
    )


def is_number(text: str, number: float) -> bool:
    """Return whether a cell of a table has the value ``number``."""
    return number_of(text) == number


def _one(path: Path, study: str, cell: Cell, params_b: float, suite: str, rows: Sequence[Row]) -> Row:
    where = (
        f"llm = {cell.llm}, compressor = {cell.compressor}, visual_tokens = {cell.tokens}, "
        f"seed = {cell.seed}, suite = {suite}"
    )
    found = [row for row in rows if row["suite"] == suite]
    if not found:
        raise UserError(
            f"{path} has no row with {where}; add it (with an empty error if it was not measured), "
            f"or take the cell or suite out of study {study}"
        )
    if len(found) > 1:
        raise UserError(f"{path} has {len(found)} rows with {where}; each must appear once")
    row = found[0]
    if _number(path, where, "params_b", row["params_b"]) != params_b:
        raise UserError(
            f"{path}, {where}: params_b = {row['params_b']}, but the config says {params_b:g}"
        )
    for name in ("error", "stderr"):
        if row.get(name):
            _number(path, where, name, row[name])
    if contradicts(number_of(row.get(SCORE, "")), number_of(row["error"])):
        raise UserError(
            f"{path}, {where}: score = {row[SCORE]} and error = {row['error']}, but an error is 1 - "
            "score; correct one of them, or take the score out"
        )
    return row | {"study": study, "seed": str(cell.seed), "params_b": repr(params_b)}


def _number(path: Path, where: str, name: str, text: str) -> float:
    value = number_of(text)
    if not 0 <= value < math.inf:
        raise UserError(f"{path}, {where}: {name} = {shown(text)} must be a number of 0 or more")
    return value
