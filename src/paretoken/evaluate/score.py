"""From stored predictions to a score, on the CPU and without torch."""

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

#: How many rows a message shows, and characters of a prediction.
SHOWN, LONGEST_SHOWN = 5, 60
#: Columns that predictions and questions do not have in common even where they are of the same rows.
NOT_COMPARED = {"prediction", "prompt", "image", "generated_tokens"}


def score_predictions(
    benchmark: Benchmark,
    rows: Sequence[Row],
    variant: str | None = None,
    origin: str = "the predictions",
) -> dict[str, Any]:
    """Score every row, in order.

    Args:
        benchmark: the rules.
        rows: each with ``prediction`` and the data set's own columns that the benchmark needs. A list
            with one text counts as that text.
        variant: a convention other than the recommended one.
        origin: what to call the rows in messages.

    Returns:
        ``benchmark, metric, score, n, interval, rows``, each row with its ``score``; also ``variant``,
        ``details`` and ``parts`` where there are some, and ``note`` where rows have no id. The
        interval is of 95 %. All of it is plain JSON. Where rows lack what the metric's name promises,
        the metric says so.

    Raises:
        UserError: there are no rows, one lacks something or has a prediction that is not a text, or an
            id appears twice; names the rows.
    """
    chosen = benchmark.variant(variant)
    if not rows:
        raise UserError(f"there is no row to score by {benchmark.name}")
    _demand_columns(chosen, rows)
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
        else f"rows have no id ({_known(chosen.keys)}): repeats were not looked for",
        "details": json_value(details),
        "parts": _parts(chosen, rows, scores),
        "rows": [json_value({**row, "score": value}) for row, value in zip(rows, scores, strict=True)],
    }
    return {key: value for key, value in result.items() if value not in (None, {})}


def score_file(
    benchmark: Benchmark, predictions: Path, questions: Path | None = None, variant: str | None = None
) -> dict[str, Any]:
    """Score a file of predictions, see `score_predictions` and `read_predictions`.

    Returns:
        The same; also ``left_out`` if `paretoken predict` left questions out.
    """
    rows = read_predictions(predictions, questions, benchmark.keys)
    left_out = len(read_left_out(predictions))
    result = score_predictions(benchmark, rows, variant, str(predictions))
    return result | ({"left_out": left_out} if left_out else {})


def read_predictions(
    path: Path, questions: Path | None = None, keys: Sequence[Key] = (("question_id",),)
) -> list[dict[str, Any]]:
    """Read predictions, and compare their ids with the questions' if these are given.

    Questions that `paretoken predict` left out as bad rows (``--max-bad-share``) are not missing: the
    predictions say which rows they are.

    Args:
        path: of the predictions.
        questions: what was asked.
        keys: columns that identify a row, see `Benchmark`; ``_id`` comes first.

    Raises:
        UserError: a file cannot be read, an id appears twice in one, or the predictions lack questions
            or have some that were not asked.
    """
    rows = read_rows(path)
    if questions is None:
        return rows
    left_out = read_left_out(path)
    asked = [row for number, row in enumerate(read_rows(questions), 1) if number not in left_out]
    key = _common_key(path, rows, questions, asked, keys)
    given = Counter(require_unique(rows, key, str(path)))
    wanted = Counter(require_unique(asked, key, str(questions)))
    for problem, ids in (("lacks", wanted - given), ("has, unasked,", given - wanted)):
        if ids:
            raise UserError(
                f"{path} {problem} {len(ids)} of {len(asked)} questions, {in_words(key, min(ids))} for "
                f"one; run `paretoken predict` again with {questions}"
            )
    by_id = dict(zip(ids_of(asked, key, str(questions)), asked, strict=True))
    for number, (row_id, row) in enumerate(zip(ids_of(rows, key, str(path)), rows, strict=True), 1):
        _require_same(f"{path}, row {number}", row, by_id[row_id], questions)
    return rows


def _require_same(place: str, row: Row, asked: Row, questions: Path) -> None:
    """Require that a prediction repeats what was asked, in all columns that both files have."""
    for column in sorted(row.keys() & asked.keys() - NOT_COMPARED):
        if _differ(_comparable(row[column]), _comparable(asked[column])):
            raise UserError(
                f"{place}: its {column} is {shown(row[column])}, in {questions} it is "
                f"{shown(asked[column])}; give the questions that were asked"
            )


def _comparable(value: Any) -> Any:
    """Return a cell in the form that JSON and Parquet share; None for what is not compared."""
    if isinstance(value, list | tuple):
        parts = [_comparable(each) for each in value]
        return parts[0] if len(parts) == 1 else parts
    if isinstance(value, str):
        as_list = parsed_list(value) if len(value) <= LONGEST_LIST else None
        return value.strip() if as_list is None else _comparable(as_list)
    return str(value) if isinstance(value, int | float) and not is_missing(value) else None


def _differ(one: Any, other: Any) -> bool:
    """Whether two comparable cells differ; ``14.50`` and ``14.5`` do not."""
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
        f"{path} and {questions} have no id in common by which they could be compared; both need one "
        f"of: {_known(((ROW_ID,), *keys))}"
    )


def _known(keys: Sequence[Key]) -> str:
    """Return in words which columns could identify rows."""
    return ", ".join(" with ".join(key) for key in keys)


def row_score(benchmark: Benchmark, row: Row) -> float:
    """Return the score of one row, 0 to 1.

    Raises:
        BadRowError: it cannot be scored, a column of the breakdown is neither a text nor a number, or
            it does not say which part it is of.
    """
    for column in benchmark.breakdown:
        text(row, column)
    if benchmark.parts is not None:
        question(row, benchmark.parts)
    return benchmark.score(row)


def json_value(value: Any) -> Any:
    """Return a value as JSON can hold it: NaN and infinity become null, bytes are left out."""
    if isinstance(value, Mapping):
        return {str(key): json_value(each) for key, each in value.items() if not isinstance(each, bytes)}
    if isinstance(value, list | tuple):
        return [json_value(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _with_texts(benchmark: Benchmark, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows with their predictions as texts: a list that holds one text is that text."""
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
            f"{len(wrong)} of {len(rows)} rows have a prediction that is not a text; write a text "
            f"(empty: the model said nothing) or a list that holds one:\n{listing}"
        )
    return made


def _metric(benchmark: Benchmark, found: Aggregate) -> str:
    """Return what the score is called, with what the rows lack for the full name."""
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
    """Return the parts' scores, by name, and the column that says which row is of which."""
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


def _demand_columns(benchmark: Benchmark, rows: Sequence[Row]) -> None:
    needed = (*benchmark.columns, "prediction")
    for number, row in enumerate(rows, start=1):
        missing = [name for name in needed if name not in row]
        if missing:
            raise UserError(
                f"{_place(benchmark, row, number)} has no {', '.join(missing)}; {benchmark.name} needs "
                f"the data set's own columns {', '.join(benchmark.columns)}, and prediction"
            )
