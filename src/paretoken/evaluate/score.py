"""From stored predictions to a score, on the CPU and without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.data.rows import read_rows
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import Aggregate, Benchmark, Row
from paretoken.evaluate.benchmarks.values import text
from paretoken.evaluate.intervals import interval, means
from paretoken.evaluate.questions import ROW_ID


def score_predictions(
    benchmark: Benchmark, rows: Sequence[Row], variant: str | None = None
) -> dict[str, Any]:
    """Score every row, in order.

    Args:
        benchmark: the rules.
        rows: each with ``prediction`` and the data set's own columns that the benchmark needs.
        variant: a convention other than the recommended one.

    Returns:
        ``benchmark, metric, score, n, interval, rows``, each row with its ``score``; also ``variant``
        and ``details`` where there are some. The interval is of 95 %. All of it is plain JSON.

    Raises:
        UserError: a row lacks something, or an id that must be unique stands twice; names the row.
    """
    chosen = benchmark.variant(variant)
    _demand_columns(chosen, rows)
    if chosen.unique_ids:
        _demand_unique(rows, chosen.id_column or ROW_ID)
    scores = [_score(chosen, row, number) for number, row in enumerate(rows, start=1)]
    found = _aggregate(chosen, rows, scores)
    details = _breakdown(chosen, rows, scores) | dict(found.details)
    result: dict[str, Any] = {
        "benchmark": benchmark.name,
        "variant": variant,
        "metric": chosen.metric,
        "score": found.score,
        "n": len(rows),
        "interval": found.interval,
        "details": json_value(details),
        "rows": [json_value({**row, "score": value}) for row, value in zip(rows, scores, strict=True)],
    }
    return {key: value for key, value in result.items() if value not in (None, {})}


def read_predictions(path: Path, questions: Path | None = None) -> list[dict[str, Any]]:
    """Read predictions, and compare their ids with the questions' if these are given.

    Raises:
        UserError: the file cannot be read, or it lacks questions or has some that were not asked.
    """
    rows = read_rows(path)
    if questions is None:
        return rows
    asked = {_row_id(row) for row in read_rows(questions)}
    given = {_row_id(row) for row in rows}
    for problem, ids in (("lacks", asked - given), ("has, unasked,", given - asked)):
        if ids:
            raise UserError(
                f"{path} {problem} {len(ids)} of {len(asked)} questions, {min(ids)!r} for one; "
                "run `paretoken predict` again for these questions"
            )
    return rows


def json_value(value: Any) -> Any:
    """Return a value as JSON can hold it: NaN and infinity become null, bytes are left out."""
    if isinstance(value, Mapping):
        return {str(key): json_value(each) for key, each in value.items() if not isinstance(each, bytes)}
    if isinstance(value, list | tuple):
        return [json_value(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _row_id(row: Row) -> str:
    return str(row.get(ROW_ID, row.get("question_id")))


def _aggregate(benchmark: Benchmark, rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    if benchmark.aggregate is not None:
        return benchmark.aggregate(rows, scores)
    return Aggregate(math.fsum(scores) / len(scores), interval(scores))


def _breakdown(benchmark: Benchmark, rows: Sequence[Row], scores: Sequence[float]) -> dict[str, Any]:
    tables = {
        column: means(scores, [text(row.get(column)) for row in rows]) for column in benchmark.breakdown
    }
    return {column: table for column, table in tables.items() if table}


def _score(benchmark: Benchmark, row: Row, number: int) -> float:
    try:
        return benchmark.score(row)
    except BadRowError as error:
        raise UserError(f"{_place(benchmark, row, number)}: {error}") from error


def _place(benchmark: Benchmark, row: Row, number: int) -> str:
    name = ROW_ID if benchmark.id_column is None else benchmark.id_column
    return f"row {number} ({name} {row[name]!r})" if name in row else f"row {number}"


def _demand_columns(benchmark: Benchmark, rows: Sequence[Row]) -> None:
    needed = (*benchmark.columns, "prediction") if benchmark.columns else ()
    for number, row in enumerate(rows, start=1):
        missing = [name for name in needed if name not in row]
        if missing:
            raise UserError(
                f"{_place(benchmark, row, number)} has no {', '.join(missing)}; {benchmark.name} needs "
                f"the data set's own columns {', '.join(benchmark.columns)}, and prediction"
            )


def _demand_unique(rows: Sequence[Row], column: str) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        key = str(row.get(column))
        if row.get(column) in (None, "") or key in seen:
            what = "stands twice" if key in seen else "is missing"
            raise UserError(f"row {number}: {column} {key!r} {what}")
        seen.add(key)
