"""Rows of a data set, from JSON, JSON lines, Parquet or a Hugging Face data set on disk.

Read with pyarrow rather than `datasets`, whose import costs most of a second in every process.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.files import read_json

FORMATS = ".json (a list), .jsonl, .parquet or a folder made by datasets' save_to_disk"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return all rows of a data set, in order.

    Raises:
        UserError: the path is missing, in no known format, damaged, or without any row.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; expected {FORMATS}")
    reader = _read_folder if path.is_dir() else READERS.get(path.suffix)
    if reader is None:
        raise UserError(f"{path} has an unknown format; expected {FORMATS}")
    rows = reader(path)
    if not rows:
        raise UserError(f"{path} holds no rows")
    return rows


def _read_list(path: Path) -> list[dict[str, Any]]:
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} must hold a list of objects: [{{...}}, ...]")
    return rows


def _read_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        # Not `splitlines`: U+2028 and the like may stand inside a JSON text.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:  # a number of thousands of digits is no `JSONDecodeError`
            raise UserError(f"{path} line {number} is no valid JSON: {error}") from error
        if not isinstance(row, dict):
            raise UserError(f"{path} line {number} must be an object: {{...}}")
        rows.append(row)
    return rows


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_table

    try:
        rows: list[dict[str, Any]] = read_table(path).to_pylist()
    except (OSError, ArrowException) as error:
        raise UserError(f"{path} is no whole Parquet file: {error}") from error
    return rows


def _read_folder(path: Path) -> list[dict[str, Any]]:
    from pyarrow import ArrowException, ipc, memory_map

    if not (path / "state.json").exists():
        raise UserError(f"{path} is no data set on disk (no state.json); expected {FORMATS}")
    files = [entry["filename"] for entry in read_json(path / "state.json")["_data_files"]]
    rows: list[dict[str, Any]] = []
    for name in files:
        try:
            with memory_map(str(path / name)) as source:
                rows += ipc.open_stream(source).read_all().to_pylist()
        except (OSError, ArrowException) as error:
            raise UserError(f"{path / name} is missing or damaged: {error}") from error
    return rows


READERS = {
    ".json": _read_list,
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
    ".parquet": _read_parquet,
}
