"""Fuzz `questions`: every benchmark's data set in the form of the hub, with changes."""

from __future__ import annotations

import copy
import io
import json
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from fuzzing.cases import Attempt, Outcome, run_command
from fuzzing.expected import is_answer, right_answer
from fuzzing.mutations import mutate_often
from fuzzing.stored import damaged_bytes
from fuzzing.world import TABLES

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
#: Benchmarks in which some questions have no picture.
SOME_WITHOUT = ("mmmu",)


def questions(benchmark: str, rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Write the questions of a changed data set; accepted ones must be possible to score."""
    source, out, words = folder / "hub", folder / "questions", ""
    tables = [(table, copy.deepcopy(table.rows())) for table in _tables(benchmark)]
    if changed:
        number = rng.randrange(len(tables))
        table, rows = tables[number]
        if table.images and rng.random() < 0.4:
            words = _change_picture(rng, rows, rng.choice(table.images))
        else:
            tables[number] = (table, (made := mutate_often(rng, rows))[0])
            words = made[1]
    for table, rows in tables:
        path = _file(source, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, rows, table.images)
        if changed and not words:
            words = f"{path.name} {damage_file(rng, path)}"
    line: list[str | Path] = ["questions", "--benchmark", benchmark, "--source", source, "--out", out]
    return Attempt(line, words, [out], partial(_judge, benchmark, source, out))


def _file(source: Path, table: Any) -> Path:
    place = "data" if table.config == "default" else table.config
    return Path(source / place / f"{table.split}-00000-of-00001.parquet")


def _tables(benchmark: str) -> list[Any]:
    tables: list[Any] = TABLES[benchmark]
    return tables if benchmark == "gqa" else tables[:1]


def _change_picture(rng: Random, rows: list[Any], column: str) -> str:
    number = rng.randrange(len(rows))
    cell = rows[number][column]
    if cell is None:
        rows[number][column] = {"bytes": b"no picture", "path": None}
        return f"row {number}: {column} is text"
    how, content = damaged_bytes(rng, cell["bytes"])
    changes: list[tuple[str, Any]] = [
        (how, {**cell, "bytes": content}),
        (how, {**cell, "bytes": content}),
        ("null", None),
        ("a path only", {"bytes": None, "path": "../../outside.jpg"}),
        ("neither bytes nor path", {"bytes": None, "path": None}),
    ]
    words, rows[number][column] = rng.choice(changes)
    return f"row {number}: {column} {words}"


def write_table(path: Path, rows: list[Any], pictures: tuple[str, ...]) -> None:
    """Write rows to Parquet; a column of mixed types becomes a column of texts."""
    rows = [row if isinstance(row, dict) else {"value": row} for row in rows]
    columns = {}
    for name in dict.fromkeys(str(key) for row in rows for key in row):
        cells = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(cells, PICTURE if name in pictures else None)
        except (pa.ArrowException, OverflowError, TypeError, UnicodeError, ValueError):
            columns[name] = pa.array([_cell(cell) for cell in cells], pa.string())
    parquet.write_table(pa.table(columns), path)


def _cell(value: Any) -> str | None:
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def damage_file(rng: Random, path: Path) -> str:
    """Damage a binary file; return the kind of damage."""
    how, content = damaged_bytes(rng, path.read_bytes())
    path.write_bytes(content)
    return how


def _judge(benchmark: str, source: Path, out: Path, outcome: Outcome) -> list[str]:
    rows = parquet.read_table(out / "questions.parquet").to_pylist()
    asked = parquet.read_table(_file(source, TABLES[benchmark][0])).to_pylist()
    if len(rows) != len(asked):
        return [f"{len(rows)} questions of {len(asked)} rows"]
    record = (out / "run.json").read_text() + outcome.out
    problems = [
        p
        for row, old in zip(rows, asked, strict=True)
        for p in _question_problems(benchmark, row, old, record)
    ]
    problems += [p for path in (out / "images").iterdir() if (p := picture_problem(path.read_bytes()))]
    return problems or _late(benchmark, rows, out)


def _question_problems(
    benchmark: str, row: dict[str, Any], old: dict[str, Any], record: str
) -> list[str]:
    problems = []
    if not is_answer(old.get("question")):
        problems.append(f"asks the question {old.get('question')!r}")
    images = row["image"] if isinstance(row["image"], list) else [row["image"]]
    if not any(images) and benchmark not in SOME_WITHOUT and "without" not in record:
        problems.append(f"question {row['_id']} is asked without its picture, uncounted")
    places = row["prompt"].count("<image>")
    if places not in (0, sum(map(bool, images))):
        problems.append(f"question {row['_id']} has {places} places for its pictures")
    return problems


def picture_problem(content: bytes) -> str | None:
    """Return why PIL alone cannot decode a picture; None if it can."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except Exception as error:
        return f"a stored picture cannot be decoded: {type(error).__name__}"
    return None


def _late(benchmark: str, rows: list[dict[str, Any]], out: Path) -> list[str]:
    """Return why the answers to accepted questions could not be scored, which would show too late."""
    path = out.with_name("said.parquet")
    said = [{**row, "prediction": _right(benchmark, row)} for row in rows]
    schema = parquet.read_schema(out / "questions.parquet").append(pa.field("prediction", pa.string()))
    parquet.write_table(pa.Table.from_pylist(said, schema), path)
    line = [
        "score",
        "--benchmark",
        benchmark,
        "--predictions",
        str(path),
        "--out",
        str(out.with_name("score.json")),
    ]
    outcome = run_command(line)
    if outcome.code != 0:
        return [f"its answers could not be scored: {(outcome.err or outcome.failure).strip()[-300:]}"]
    json.loads(out.with_name("score.json").read_text())
    return []


def _right(benchmark: str, row: dict[str, Any]) -> str:
    try:
        return right_answer(benchmark, row)
    except (KeyError, ValueError, TypeError, IndexError):
        return "x"
