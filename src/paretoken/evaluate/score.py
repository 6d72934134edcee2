"""From stored predictions to a score, on the CPU and without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.data.rows import read_rows
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import Benchmark
from paretoken.evaluate.questions import answers_of

#: Normal quantile of a two-sided interval of 95 %.
Z_95 = 1.959963984540054


def score_predictions(benchmark: Benchmark, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score every row, in order.

    Args:
        benchmark: the rule.
        rows: each with ``question_id``, ``prediction`` and ``answer`` (a text or accepted texts).

    Returns:
        ``benchmark, metric, score, n, interval, rows``; the interval is of 95 %.

    Raises:
        UserError: a row lacks something, or an id stands twice; names the row.
    """
    scored = [{**row, "score": _score(benchmark, row, i)} for i, row in enumerate(rows, start=1)]
    _demand_unique(rows)
    values = [row["score"] for row in scored]
    mean = math.fsum(values) / len(values)
    return {
        "benchmark": benchmark.name,
        "metric": benchmark.metric,
        "score": mean,
        "n": len(values),
        "interval": interval(values),
        "rows": scored,
    }


def interval(values: Sequence[float]) -> list[float]:
    """Return the 95 % interval of a mean of scores from 0 to 1.

    Wilson's for right-or-wrong scores, which holds near 0 and 1 too; the normal one otherwise.
    """
    n, mean = len(values), math.fsum(values) / len(values)
    if all(value in (0, 1) for value in values):
        shift = Z_95**2 / n
        centre = (mean + shift / 2) / (1 + shift)
        half = Z_95 / (1 + shift) * math.sqrt(mean * (1 - mean) / n + shift / (4 * n))
    else:
        variance = math.fsum((value - mean) ** 2 for value in values) / max(1, n - 1)
        centre, half = mean, Z_95 * math.sqrt(variance / n)
    return [max(0.0, centre - half), min(1.0, centre + half)]


def read_predictions(path: Path, questions: Path | None = None) -> list[dict[str, Any]]:
    """Read predictions, and compare their ids with the questions' if these are given.

    Raises:
        UserError: the file cannot be read, or it lacks questions or has some that were not asked.
    """
    rows = read_rows(path)
    if questions is None:
        return rows
    asked = {str(row.get("question_id")) for row in read_rows(questions)}
    given = {str(row.get("question_id")) for row in rows}
    for problem, ids in (("lacks", asked - given), ("has, unasked,", given - asked)):
        if ids:
            raise UserError(
                f"{path} {problem} {len(ids)} of {len(asked)} questions, {min(ids)!r} for one; "
                "run `paretoken predict` again for these questions"
            )
    return rows


def _score(benchmark: Benchmark, row: Mapping[str, Any], number: int) -> float:
    where = f"row {number} (question_id {row.get('question_id')!r})"
    prediction = row.get("prediction")
    if not isinstance(prediction, str):
        raise UserError(f"{where} has no prediction (a text; empty if the model said nothing)")
    try:
        return benchmark.score(prediction, answers_of(row.get("answer")))
    except BadRowError as error:
        raise UserError(f"{where}: {error}") from error


def _demand_unique(rows: Sequence[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        key = str(row.get("question_id"))
        if row.get("question_id") in (None, "") or key in seen:
            what = "stands twice" if key in seen else "is missing"
            raise UserError(f"row {number}: question_id {key!r} {what}")
        seen.add(key)
