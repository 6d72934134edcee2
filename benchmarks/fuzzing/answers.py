"""Fuzz `predict` with changed questions, pictures and options for a tiny model."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from pyarrow import parquet

from fuzzing.cases import Attempt, Outcome
from fuzzing.conversations import misspelt_image, name_problem
from fuzzing.expected import are_texts, is_id, is_text
from fuzzing.hub import damage_file, picture_problem
from fuzzing.mutations import LONG, mutate_often
from fuzzing.stored import damage_text, read_again, write_rows

COUNT, POSITIONS = 6, 256
NUMBERS = ("0", "1", "-1", "3", "1.5", "1e3", "nan", "inf", "99999999999999999999", "x", "")
OPTIONS = ("--max-new-tokens", "--batch", "--tokens", "--max-bad-share", "--threads")


def predict(rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Ask changed questions about pictures, one of which may be damaged."""
    lines = (world / "questions.jsonl").read_text().splitlines()[:COUNT]
    rows: Any = [json.loads(line) for line in lines]
    if rng.random() < 0.4:
        rows = [_as_questions_writes(row) for row in rows]
    asked, out, images = folder / "asked.jsonl", folder / "said.parquet", folder / "images"
    images.mkdir()
    for number in range(COUNT):
        shutil.copy(world / "images" / f"{number}.png", images)
    words, options = "", {"--max-new-tokens": "3", "--batch": "2", "--max-bad-share": "0"}
    part = rng.choice(["rows", "rows", "rows", "picture", "option", "long"]) if changed else "nothing"
    if part == "rows":
        rows, words = mutate_often(rng, rows)
    elif part == "picture":
        words = _change_picture(rng, images)
    elif part == "option":
        option, value = rng.choice(OPTIONS), rng.choice(NUMBERS)
        options[option], words = value, f"{option} {value}"
    elif part == "long":
        text = LONG[: rng.choice([1300, 20000])]
        rows[-1]["prompt" if "prompt" in rows[-1] else "question"] = text
        words = f"a question of {len(text)} characters"
    write_rows(asked, rows)
    if changed and not words:
        words = f"questions {damage_text(rng, asked)}"
    line: list[str | Path] = [
        "predict",
        "--model",
        world / "answering" / "model",
        "--questions",
        asked,
        "--images",
        images,
        "--out",
        out,
    ]
    line += [word for pair in options.items() for word in pair]
    return Attempt(line, words, [out], partial(_judge, asked, out, images, options), _late)


def _as_questions_writes(row: dict[str, Any]) -> dict[str, Any]:
    number = row["question_id"]
    return {"_id": number, "image": row["image"], "prompt": row["question"], "answer": row["answer"]}


def _change_picture(rng: Random, images: Path) -> str:
    path = images / f"{rng.randrange(COUNT)}.png"
    if rng.random() < 0.2:
        path.unlink()
        return f"{path.name} removed"
    return f"{path.name} {damage_file(rng, path)}"


def _judge(asked: Path, out: Path, images: Path, options: dict[str, str], outcome: Outcome) -> list[str]:
    rows = read_again(asked)
    if rows is None:
        return ["the questions are not JSON in UTF-8, but were accepted"]
    zeros = [option for option, value in options.items() if value == "0" and option != "--max-bad-share"]
    problems = [f"accepted {option} 0" for option in zeros if option != "--tokens"]
    problems += [
        f"row {n}: {p}" for n, row in enumerate(rows, 1) if (p := question_problem(row, images))
    ]
    keys = [str(row.get("_id", row.get("question_id"))) for row in rows if isinstance(row, dict)]
    if len(set(keys)) < len(keys):
        problems.append("two questions have one id")
    if problems and float(options["--max-bad-share"]) == 0:
        return problems
    said = parquet.read_table(out).to_pylist()
    if len(said) != len(rows) and not problems:
        problems.append(f"{len(said)} answers to {len(rows)} questions")
    longest = float(options["--max-new-tokens"])
    return problems + ["an answer is too long" for row in said if row["generated_tokens"] > longest]


def question_problem(row: Any, images: Path) -> str | None:
    """Return why a question must not be asked; it does not use the product's code."""
    if not isinstance(row, dict) or misspelt_image(row):
        return "has a key that looks like image" if isinstance(row, dict) else "is not an object"
    own = "prompt" in row
    text, number, answer = row.get("prompt" if own else "question"), row.get("_id"), row.get("answer")
    if not is_text(text) or re.search("[\ud800-\udfff]", str(text)):
        return f"its question is {ascii(text)[:60]}"
    if not is_id(number if own else row.get("question_id")):
        return "its id is missing or of another type"
    if not own and not (is_text(answer) or are_texts(answer)):
        return f"its answer is {ascii(answer)[:60]}"
    if len(str(text).split()) > POSITIONS:
        return "its prompt is longer than the model reads"
    return _image_problem(row.get("image"), str(text), images)


def _image_problem(value: Any, text: str, images: Path) -> str | None:
    names = [name for name in (value if isinstance(value, list) else [value]) if name is not None]
    if not all(isinstance(name, str) for name in names):
        return f"its image is {ascii(value)[:60]}"
    names = [name for name in names if name]
    if text.count("<image>") not in (0, len(names)):
        return f"has {text.count('<image>')} places for {len(names)} images"
    for name in names:
        # Another suffix is allowed, because some data sets name all of their pictures .jpg.
        found = [path for path in images.iterdir() if path.name == name or path.stem == Path(name).stem]
        if name_problem(name) or not found:
            return f"its image {ascii(name)[:60]} is missing"
        if picture_problem(found[0].read_bytes()):
            return f"its image {name} cannot be decoded"
    return None


def _late(outcome: Outcome) -> list[str]:
    answered = re.search(r"asked: [1-9]\d*/\d+", outcome.err)
    return ["rejected after the first answers"] if answered else []
