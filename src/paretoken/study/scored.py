"""Cells whose errors this project measured: from the score files of benchmarks to a cell's rows.

Only `json` and `csv` are used: this runs once per cell, and importing pandas would take longer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import variance
from typing import Any

from paretoken.errors import UserError
from paretoken.io.csv_files import Row
from paretoken.io.files import read_json
from paretoken.study.grid import Cell

#: An upper bound for every number in a score file; these are shares and numbers of questions.
LARGEST = 1e12
SOURCE = "trained, asked and scored by this project"


def read_scores(paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the results of `paretoken score` by benchmark, the stem of each file's name.

    A benchmark with parts is replaced by its parts, with one score for each.

    Raises:
        UserError: a file is missing or is not a score, or there are two scores of one benchmark.
    """
    scores = {}
    for path in paths:
        content = read_json(path)
        if not _is_score(content):
            raise UserError(f"{path} is not a score; make it with `paretoken score`")
        for name, score in _with_parts(path.stem, content).items():
            if name in scores:
                raise UserError(f"{path}: there are two scores of {name}; give each benchmark once")
            scores[name] = score
    return scores


def _with_parts(name: str, content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the scores in a file: its own, or those of its parts with their rows."""
    parts = content.get("parts")
    if not parts:
        return {name: content}
    rows: dict[str, list[Any]] = {}
    for row in content["rows"]:
        rows.setdefault(str(row.get(parts["column"])), []).append(row)
    return {
        part: {"metric": content["metric"], **score, "rows": rows[part]}
        for part, score in parts["scores"].items()
    }


def _is_score(content: Any) -> bool:
    """Return whether a record has all values that are read from a score, with the right types."""
    if not isinstance(content, dict) or not isinstance(content.get("metric"), str):
        return False
    details, rows = content.get("details"), content.get("rows")
    return (
        _has_numbers(content)
        and isinstance(details, dict | None)
        and (details is None or details.get("stderr") is None or _is_number(details["stderr"]))
        and isinstance(rows, list)
        and len(rows) > 0
        and all(isinstance(row, dict) and _is_number(row.get("score")) for row in rows)
        and _has_parts(content.get("parts"), rows)
    )


def _has_numbers(content: Any) -> bool:
    """Return whether a record has a score, its interval and its number of questions."""
    if not isinstance(content, dict):
        return False
    ends = content.get("interval")
    return (
        all(map(_is_number, (content.get("score"), content.get("n"))))
        and isinstance(ends, list)
        and len(ends) == 2
        and all(map(_is_number, ends))
    )


def _has_parts(parts: Any, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the parts of a score, if it has any, are complete and have rows."""
    if parts is None:
        return True
    if not isinstance(parts, dict) or not isinstance(parts.get("scores"), dict):
        return False
    column = parts.get("column")
    named = {str(row.get(column)) for row in rows} if isinstance(column, str) else set()
    return named == {*parts["scores"]} and all(map(_has_numbers, parts["scores"].values()))


def _is_number(value: Any) -> bool:
    """Return whether a value is a number of plausible size."""
    return type(value) in (int, float) and abs(value) <= LARGEST


def error_rows(
    study: str,
    cell: Cell,
    params_b: float,
    suites: Mapping[str, Sequence[str]],
    scores: Mapping[str, Mapping[str, Any]],
) -> list[Row]:
    """Return one cell's rows of errors.csv, one per suite and in their order.

    A suite's error is the mean of 1 - score over its benchmarks. Its standard error is due to the
    sample of questions, which are taken as independent; it does not include the spread over seeds.

    Raises:
        UserError: a suite's benchmark was not scored.
    """
    rows = []
    for suite, benchmarks in suites.items():
        missing = [name for name in benchmarks if name not in scores]
        if missing:
            raise UserError(
                f"suite {suite} needs the scores of {', '.join(missing)}, which are missing; add them "
                "to --scores"
            )
        errors = [1 - float(scores[name]["score"]) for name in benchmarks]
        squares = math.fsum(_squared_error(scores[name]) for name in benchmarks)
        rows.append(
            coordinates(study, cell, params_b)
            | {
                "suite": suite,
                "error": repr(math.fsum(errors) / len(errors)),
                "stderr": repr(math.sqrt(squares) / len(errors)),
                "source": SOURCE,
            }
        )
    return rows


def score_rows(
    study: str, cell: Cell, params_b: float, scores: Mapping[str, Mapping[str, Any]]
) -> list[Row]:
    """Return one cell's rows of scores.csv, one per benchmark."""
    return [
        coordinates(study, cell, params_b)
        | {
            "benchmark": name,
            "metric": content["metric"],
            "score": repr(content["score"]),
            "low": repr(content["interval"][0]),
            "high": repr(content["interval"][1]),
            "questions": str(content["n"]),
        }
        for name, content in scores.items()
    ]


def _squared_error(content: Mapping[str, Any]) -> float:
    """Return the squared standard error of a benchmark's score.

    Where the score is not a mean over rows (MME, POPE, MMBench), `paretoken score` has stored it.
    """
    stated = (content.get("details") or {}).get("stderr")
    if stated is not None:
        return float(stated) ** 2
    values = [float(row["score"]) for row in content["rows"]]
    return variance(values) / len(values) if len(values) > 1 else math.nan


def coordinates(study: str, cell: Cell, params_b: float) -> Row:
    """Return the columns that identify the cell of a row."""
    return {
        "study": study,
        "llm": cell.llm,
        "params_b": repr(params_b),
        "compressor": cell.compressor,
        "visual_tokens": str(cell.tokens),
        "seed": str(cell.seed),
    }
