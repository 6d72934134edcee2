"""Rules on tables that a study names: measured errors, published numbers, dimensions, latency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from paretoken.contract import LATENCY_COLUMNS
from paretoken.csv_files import csv_rows
from paretoken.errors import UserError
from paretoken.escape import shown
from paretoken.feasibility.findings import Finding, Kind, Subject, path_of
from paretoken.grid import cells
from paretoken.measured import table_problems

#: A table can lack every cell of a grid: so many are told, and how many more there are.
TOLD = 5
VALUES = ("suite", "quantity", "value", "source")
TABLE1 = ("method", "visual_tokens", "benchmark", "score", "source")
DIMENSIONS = ("llm", "total_params_b", "nonembedding_params_b")
SHAPE = ("hidden", "layers", "intermediate", "heads", "vocab", "tied_embeddings")


def measured_table_is_whole(subject: Subject) -> Iterator[Finding]:
    """Find cells and suites that the measured table lacks, repeats, or has without a number."""
    study = subject.study
    if study.measured is None:
        return
    path, sizes = path_of(study.measured), {llm.name: llm.params_b for llm in subject.frozen.llms}
    suites = [suite.name for suite in study.suites]
    try:
        problems = table_problems(path, study.name, cells(study), sizes, suites)
    except UserError as error:
        problems = [str(error)]
    for problem in problems[:TOLD]:
        yield subject.finding("measured", problem, Kind.FILE)
    if len(problems) > TOLD:
        more = f"{len(problems) - TOLD} more cells of {path} are like that"
        yield subject.finding("measured", more, Kind.FILE)


def published_tables_can_be_read(subject: Subject) -> Iterator[Finding]:
    """Find published tables that are missing, lack a column, repeat a key or hold no number."""
    published = subject.study.published
    if published is None:
        return
    for key, columns, number, unique in (
        ("values", VALUES, "value", 2),
        ("table1", TABLE1, "score", 3),
        ("dimensions", (*DIMENSIONS, *SHAPE), "total_params_b", 1),
    ):
        name = getattr(published, key)
        if name is None:
            continue
        try:
            rows = read_csv(path_of(name), columns)
            _require_numbers(path_of(name), rows, number)
            _require_unique(path_of(name), rows, columns[:unique])
        except UserError as error:
            yield subject.finding(f"published.{key}", str(error), Kind.FILE)


def latency_and_price(subject: Subject) -> Iterator[Finding]:
    """Find a price without seconds to pay for, and a table of latency that is none."""
    study = subject.study
    own = subject.kind == "miniature"  # it measures its own
    if study.price_per_hour is not None and study.latency is None and not own:
        yield subject.finding(
            "price_per_hour",
            "has no meaning without latency: a table of `paretoken latency`; name one, "
            "or take price_per_hour out",
        )
    if study.latency is None:
        return
    path = path_of(study.latency)
    try:
        rows = read_csv(path, ())
        missing = [name for name in LATENCY_COLUMNS if rows and name not in rows[0]]
        if missing and "latency_s" not in rows[0]:
            raise UserError(
                f"{path} is not a table of latency: it lacks {', '.join(missing)}; make it with "
                "`paretoken latency`"
            )
    except UserError as error:
        yield subject.finding("latency", str(error), Kind.FILE)


def published_numbers(subject: Subject) -> dict[tuple[str, str], str] | None:
    """Return the published values by suite and quantity; None if there is no readable table."""
    published = subject.study.published
    try:
        rows = [] if published is None else read_csv(path_of(published.values), VALUES)
    except UserError:
        return None
    return {(row["suite"], row["quantity"]): row["value"] for row in rows if row["value"]}


def table1_rows(subject: Subject) -> set[tuple[str, int, str]] | None:
    """Return method, visual tokens and benchmark of the published Table 1; None if it is unreadable."""
    published = subject.study.published
    if published is None or published.table1 is None:
        return None
    try:
        rows = read_csv(path_of(published.table1), TABLE1)
        return {(row["method"], int(float(row["visual_tokens"])), row["benchmark"]) for row in rows}
    except (UserError, ValueError, OverflowError):
        return None


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a table, blanks dropped.

    Raises:
        UserError: it cannot be read, has no rows, or lacks a column.
    """
    names, found = csv_rows(path)
    rows = list(found)
    missing = [name for name in columns if name not in names]
    if missing:
        raise UserError(f"{path} lacks the column(s) {', '.join(missing)}")
    if not rows:
        raise UserError(f"{path} has no rows")
    return rows


def _require_numbers(path: Path, rows: Sequence[dict[str, str]], column: str) -> None:
    for number, row in enumerate(rows, start=2):
        try:
            float(row[column] or 0)
        except ValueError as error:
            raise UserError(
                f"{path}, row {number}: {column} = {shown(row[column])} is not a number"
            ) from error


def _require_unique(path: Path, rows: Sequence[dict[str, str]], key: Sequence[str]) -> None:
    seen = set()
    for number, row in enumerate(rows, start=2):
        found = tuple(row[name] for name in key)
        if found in seen:
            raise UserError(f"{path}, row {number}: {', '.join(found)} appears twice")
        seen.add(found)
