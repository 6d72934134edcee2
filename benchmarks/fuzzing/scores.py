"""Fuzz `score` with predictions of every benchmark."""

from __future__ import annotations

import copy
import json
import math
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.cases import Attempt, Outcome, run_command
from fuzzing.expected import KEYS, repeated_key, right_answer, row_problem
from fuzzing.mutations import mutate_often
from fuzzing.stored import damage_text, read_again, write_rows
from fuzzing.world import TABLES


def base_rows(benchmark: str) -> list[dict[str, Any]]:
    """Return right and wrong predictions, with the columns of the data set except its pictures."""
    if benchmark == "exact_match":
        rows = [{"question_id": f"q{n}", "answer": ["red", "dark red"][: 1 + n % 2]} for n in range(4)]
        return [{**row, "prediction": ["red", "blue"][n // 3]} for n, row in enumerate(rows)]
    table = TABLES[benchmark][0]
    rows = []
    for number, row in enumerate(table.rows()):
        kept = {name: value for name, value in row.items() if name not in table.images}
        said = right_answer(benchmark, row) if number % 3 != 1 else "something else"
        rows.append({"_id": str(number), **copy.deepcopy(kept), "prompt": "?", "prediction": said})
    return rows


def score(benchmark: str, rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Score changed predictions of a benchmark, sometimes with the questions."""
    base: Any = base_rows(benchmark)
    if changed and rng.random() < 0.3 and benchmark != "exact_match":
        base = [{key: value for key, value in row.items() if key != "_id"} for row in base]
    rows, words = base, ""
    data, out, asked = folder / f"said{rng.choice(['.json', '.jsonl'])}", folder / "score.json", None
    if changed and rng.random() < 0.25:
        number = rng.randrange(len(rows))
        rows, words = copy.deepcopy(base), f"row {number}: prediction in a list"
        rows[number]["prediction"] = [rows[number]["prediction"]]
    elif changed:
        rows, words = mutate_often(rng, base)
    write_rows(data, rows)
    if changed and not words:
        words = f"rows {damage_text(rng, data)}"
    line: list[str | Path] = ["score", "--benchmark", benchmark, "--predictions", data, "--out", out]
    if changed and rng.random() < 0.3:
        asked = folder / "asked.jsonl"
        write_rows(asked, base)
        line += ["--questions", asked]
    judge = partial(_judge, benchmark, base, data, out, asked is not None)
    return Attempt(line, words, [out], judge)


def _judge(
    benchmark: str, base: list[Any], data: Path, out: Path, asked: bool, outcome: Outcome
) -> list[str]:
    rows = read_again(data)
    if rows is None:
        return ["the file is not JSON in UTF-8, but was accepted"]
    problems = [f"row {n}: {p}" for n, row in enumerate(rows, 1) if (p := row_problem(benchmark, row))]
    if problems:
        return problems
    duplicate = repeated_key(benchmark, rows)
    if duplicate is not None:
        return [f"two rows have {duplicate}"]
    if asked and _ids(benchmark, rows) != _ids(benchmark, base):
        return ["the rows are not those that were asked"]
    result = json.loads(out.read_text(), parse_constant=_no_number)
    return [*_number_problems(result, len(rows)), *_row_problems(benchmark, base, rows, result, out)]


def _ids(benchmark: str, rows: list[Any]) -> list[Any]:
    own = tuple(column for column in KEYS[benchmark] if column != "question")
    columns = ("_id",) if all("_id" in row for row in rows) else own
    return sorted([str(row.get(column)) for column in columns] for row in rows)


def _number_problems(result: dict[str, Any], count: int) -> list[str]:
    low, high = result["interval"]
    problems = []
    if result["n"] != count or len(result["rows"]) != count:
        problems.append(f"n is {result['n']}, but {count} rows were given")
    if not 0 <= low <= result["score"] <= high <= 1:
        problems.append(f"score {result['score']} and interval {low} to {high}")
    bad = [row["score"] for row in result["rows"] if not 0 <= row["score"] <= 1]
    return problems + [f"a row has the score {value}" for value in bad]


def _row_problems(
    benchmark: str, base: list[Any], rows: list[Any], result: dict[str, Any], out: Path
) -> list[str]:
    """Return rows that score differently from equal rows of the unchanged file."""
    plain = out.with_name("plain.jsonl")
    write_rows(plain, base)
    line = ["score", "--benchmark", benchmark, "--predictions", str(plain), "--out", f"{out}.plain.json"]
    if run_command(line).code != 0:
        return ["the unchanged rows cannot be scored"]
    before = json.loads(out.with_name(f"{out.name}.plain.json").read_text())["rows"]
    known = [(_said(row), scored["score"]) for row, scored in zip(base, before, strict=True)]
    problems = []
    for row, scored in zip(rows, result["rows"], strict=True):
        expected = next((value for said, value in known if said == _said(row)), math.nan)
        if not math.isnan(expected) and scored["score"] != expected:
            said = ascii(row["prediction"])[:60]
            problems.append(f"the prediction {said} scores {scored['score']} instead of {expected}")
    return problems


def _said(row: dict[str, Any]) -> dict[str, Any]:
    said = row["prediction"]
    return {**row, "prediction": said[0] if isinstance(said, list) else said}


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")
