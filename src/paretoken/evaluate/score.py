"""Scoring stored predictions, on the CPU and without torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.data.rows import read_rows
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import Aggregate, Benchmark, Row
from paretoken.evaluate.benchmarks.values import LONGEST_LIST, is_missing, parsed_list, question, text
from paretoken.evaluate.ids import ROW_ID, Key, ids_of, in_words, require_unique, usable_keys
from paretoken.evaluate.left_out import read_left_out
from paretoken.evaluate.score_intervals import interval, means
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted

#: Most rows that a message shows, and characters of a prediction.
SHOWN, LONGEST_SHOWN = 5, 60
#: Columns that may differ between the predictions and the questions of the same rows.
NOT_COMPARED = {"prediction", "prompt", "image", "generated_tokens"}


def score_predictions(
    benchmark: Benchmark,
    rows: Sequence[Row],
    variant: str | None = None,
    origin: str = "the predictions",
) -> dict[str, Any]:
    """Score every row, in order.

    Args:
        benchmark: the benchmark.
        rows: rows with ``prediction`` and the data set's own columns that the benchmark needs. A
            prediction may be a list with one text.
        variant: name of a variant; None: the recommended convention.
        origin: name of the rows in messages.

    Returns:
        ``benchmark, metric, score, n, interval, rows`` as plain JSON; each row has its ``score``, and
        ``interval`` is that of 95 %. ``variant``, ``details`` and ``parts`` are included if there are
        any, and ``note`` if rows have no id. If rows are incomplete, the name of the metric says so.

    Raises:
        UserError: there are no rows, a column is missing, a prediction is not a text, or ids are
            duplicates; the message names the rows.
    """
    chosen = benchmark.variant(variant)
    if not rows:
        raise UserError(f"there is no row to score by {benchmark.name}")
    _require_columns(chosen, rows)
    rows = _with_texts(chosen, rows)
    keys = usable_keys(rows, chosen.keys)
    for key in keys:
        require_unique(rows, key, origin)
    scores = [_score(chosen, row, number) for number, row in enumerate(rows, start=1)]
    found = _aggregate(chosen, rows, scores)
    details = _breakdown(chosen, rows, scores) | dict(found.details)
    result: dict[str, Any] = {
        "benchmark": benchmark.name,
        "variant": variant,
        "metric": _metric(chosen, found),
        "score": found.score,
        "n": len(rows),
        "interval": found.interval,
        "note": None
        if keys
        else f"rows have no id ({_known(chosen.keys)}): duplicates were not checked",
        "details": json_value(details),
        "parts": _parts(chosen, rows, scores),
        "rows": [json_value({**row, "score": value}) for row, value in zip(rows, scores, strict=True)],
    }
    return {key: value for key, value in result.items() if value not in (None, {})}


def score_file(
    benchmark: Benchmark, predictions: Path, questions: Path | None = None, variant: str | None = None
) -> dict[str, Any]:
    """Score a file of predictions; see `score_predictions` and `read_predictions`.

    Returns:
        The result of `score_predictions`, with ``left_out`` if `paretoken predict` left questions out.
    """
    rows = read_predictions(predictions, questions, benchmark.keys)
    left_out = len(read_left_out(predictions))
    result = score_predictions(benchmark, rows, variant, str(predictions))
    return result | ({"left_out": left_out} if left_out else {})


def read_predictions(
    path: Path, questions: Path | None = None, keys: Sequence[Key] = (("question_id",),)
) -> list[dict[str, Any]]:
    """Return the rows of predictions, after a comparison with the questions if these are given.

    Questions that `paretoken predict` left out as bad rows (``--max-bad-share``) are not missing; the
    file of predictions lists them.

    Args:
        path: file of the predictions.
        questions: file of the questions.
        keys: columns that identify a row, see `Benchmark`; ``_id`` is preferred.

    Raises:
        UserError: a file cannot be read, ids in it are duplicates, or the predictions lack questions or
            have other ones.
    """
    rows = read_rows(path)
    if questions is None:
        return rows
    left_out = read_left_out(path)
    asked = [row for number, row in enumerate(read_rows(questions), 1) if number not in left_out]
    key = _common_key(path, rows, questions, asked, keys)
    given = Counter(require_unique(rows, key, str(path)))
    wanted = Counter(require_unique(asked, key, str(questions)))
    missing, extra = wanted - given, given - wanted
    for problem, ids in (
        (f"lacks {len(missing)} of {counted(len(asked), 'question')}", missing),
        (f"has answers to {counted(len(extra), 'other question')}", extra),
    ):
        if ids:
            raise UserError(
                f"{path} {problem}, for example {in_words(key, min(ids))}; run `paretoken predict` "
                f"again with {questions}"
            )
    by_id = dict(zip(ids_of(asked, key, str(questions)), asked, strict=True))
    for number, (row_id, row) in enumerate(zip(ids_of(rows, key, str(path)), rows, strict=True), 1):
        _require_same(f"{path}, row {number}", row, by_id[row_id], questions)
    return rows


def _require_same(place: str, row: Row, asked: Row, questions: Path) -> None:
    """Require that a prediction equals its question in all columns that both files have."""
    for column in sorted(row.keys() & asked.keys() - NOT_COMPARED):
        if _differ(_comparable(row[column]), _comparable(asked[column])):
            raise UserError(
                f"{place}: its {column} is {shown(row[column])}, but in {questions} it is "
                f"{shown(asked[column])}; give the questions that were answered"
            )


def _comparable(value: Any) -> Any:
    """Return a cell in a form that is equal for JSON and Parquet; None if it is not compared."""
    if isinstance(value, list | tuple):
        parts = [_comparable(each) for each in value]
        return parts[0] if len(parts) == 1 else parts
    if isinstance(value, str):
        as_list = parsed_list(value) if len(value) <= LONGEST_LIST else None
        return value.strip() if as_list is None else _comparable(as_list)
    return str(value) if isinstance(value, int | float) and not is_missing(value) else None


def _differ(one: Any, other: Any) -> bool:
    """Return whether two comparable cells differ; ``14.50`` and ``14.5`` do not."""
    if one is None or other is None or one == other:
        return False
    if isinstance(one, list) or isinstance(other, list):
        same_form = isinstance(one, list) and isinstance(other, list) and len(one) == len(other)
        return not same_form or any(map(_differ, one, other))
    try:
        return float(one) != float(other)
    except ValueError:
        return True


def _common_key(
    path: Path, rows: Sequence[Row], questions: Path, asked: Sequence[Row], keys: Sequence[Key]
) -> Key:
    """Return the columns by which predictions and questions are compared."""
    for key in ((ROW_ID,), *keys):
        if all(any(column in row for row in part) for part in (rows, asked) for column in key):
            return key
    raise UserError(
        f"{path} and {questions} have no id column in common; both need one "
        f"of: {_known(((ROW_ID,), *keys))}"
    )


def _known(keys: Sequence[Key]) -> str:
    """Return the columns that can identify rows, for messages."""
    return ", ".join(" with ".join(key) for key in keys)


def row_score(benchmark: Benchmark, row: Row) -> float:
    """Return the score of one row, 0 to 1.

    Raises:
        BadRowError: the row cannot be scored, a column of the breakdown is neither a text nor a
            number, or the row does not name its part.
    """
    for column in benchmark.breakdown:
        text(row, column)
    if benchmark.parts is not None:
        question(row, benchmark.parts)
    return benchmark.score(row)


def json_value(value: Any) -> Any:
    """Return a value that JSON supports: NaN and infinity become null, bytes are left out."""
    if isinstance(value, Mapping):
        return {str(key): json_value(each) for key, each in value.items() if not isinstance(each, bytes)}
    if isinstance(value, list | tuple):
        return [json_value(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _with_texts(benchmark: Benchmark, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows with predictions as texts; a list with one text is replaced by the text."""
    made, wrong = [], []
    for number, row in enumerate(rows, start=1):
        said = row["prediction"]
        if isinstance(said, list | tuple) and len(said) == 1:
            said = said[0]
        if not isinstance(said, str):
            wrong.append(f"{_place(benchmark, row, number)}: {shown(row['prediction'], LONGEST_SHOWN)}")
        made.append({**row, "prediction": said})
    if wrong:
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        listing = "\n".join(f"  - {line}" for line in [*wrong[:SHOWN], *more])
        raise UserError(
            f"{len(wrong)} of {counted(len(rows), 'row')} {'has' if len(wrong) == 1 else 'have'} a "
            "prediction that is not a text; write a text "
            f"(empty if the model did not answer) or a list with one text:\n{listing}"
        )
    return made


def _metric(benchmark: Benchmark, found: Aggregate) -> str:
    """Return the name of the metric, with a remark on what the rows lack."""
    name = found.metric or benchmark.metric
    return f"{name} ({'; '.join(found.lacks)})" if found.lacks else name


def _aggregate(benchmark: Benchmark, rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    if benchmark.aggregate is not None:
        return benchmark.aggregate(rows, scores)
    return Aggregate(math.fsum(scores) / len(scores), interval(scores))


def _breakdown(benchmark: Benchmark, rows: Sequence[Row], scores: Sequence[float]) -> dict[str, Any]:
    tables = {
        column: means(scores, [text(row, column) for row in rows]) for column in benchmark.breakdown
    }
    return {column: table for column, table in tables.items() if table}


def _parts(benchmark: Benchmark, rows: Sequence[Row], scores: Sequence[float]) -> dict[str, Any]:
    """Return the scores of the parts by name, and the column that names the part of a row."""
    if benchmark.parts is None:
        return {}
    found: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        found.setdefault(question(row, benchmark.parts), []).append(number)
    made = {}
    for name, numbers in found.items():
        own = [scores[number] for number in numbers]
        whole = _aggregate(benchmark, [rows[number] for number in numbers], own)
        made[name] = {"score": whole.score, "n": len(own), "interval": whole.interval}
    return {"column": benchmark.parts, "scores": made}


def _score(benchmark: Benchmark, row: Row, number: int) -> float:
    try:
        return row_score(benchmark, row)
    except BadRowError as error:
        raise UserError(f"{_place(benchmark, row, number)}: {error}") from error


def _place(benchmark: Benchmark, row: Row, number: int) -> str:
    key = next((key for key in (*benchmark.keys, (ROW_ID,)) if all(c in row for c in key)), ())
    named = ", ".join(f"{column} {shown(row[column])}" for column in key)
    return f"row {number} ({named})" if key else f"row {number}"


def _require_columns(benchmark: Benchmark, rows: Sequence[Row]) -> None:
    needed = (*benchmark.columns, "prediction")
    for number, row in enumerate(rows, start=1):
        missing = [name for name in needed if name not in row]
        if missing:
            raise UserError(
                f"{_place(benchmark, row, number)} has no {', '.join(missing)}; {benchmark.name} needs "
                f"the data set's own columns {', '.join(benchmark.columns)}, and prediction"
            )
