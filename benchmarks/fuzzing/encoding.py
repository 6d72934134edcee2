"""Fuzz `features` with changed rows, pictures and options for a tiny encoder."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzzing.cases import Attempt, Outcome
from fuzzing.conversations import misspelt_image
from fuzzing.hub import damage_file, picture_problem
from fuzzing.mutations import mutate_often
from fuzzing.stored import read_again, write_rows
from fuzzing.training import NUMBERS


def features(rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Encode the pictures of changed rows; one picture may be damaged."""
    rows: Any = [json.loads(line) for line in (world / "train.jsonl").read_text().splitlines()[:6]]
    data, out, images, words = folder / "rows.jsonl", folder / "features", folder / "images", ""
    images.mkdir()
    for number in range(6):
        shutil.copy(world / "images" / f"{number}.png", images)
    options = {"--max-bad-share": "0", "--batch": "4"}
    part = rng.choice(["rows", "picture", "option"]) if changed else "nothing"
    if part == "rows":
        rows, words = mutate_often(rng, rows)
    elif part == "picture":
        path = images / f"{rng.randrange(6)}.png"
        words = f"{path.name} {damage_file(rng, path)}"
    elif part == "option":
        option = rng.choice(["--layers", "--query-layer", "--batch", "--threads", "--max-bad-share"])
        options[option] = rng.choice(NUMBERS)
        words = f"{option} {options[option]}"
    write_rows(data, rows)
    line: list[str | Path] = [
        "features",
        "--vision",
        world / "vision",
        "--data",
        data,
        "--images",
        images,
        "--out",
        out,
    ]
    line += [word for pair in options.items() for word in pair]
    judge = partial(_judge_features, data, out, images, options)
    return Attempt(line, words or "the same rows" * changed, [out], judge)


def _judge_features(
    data: Path, out: Path, images: Path, options: dict[str, str], outcome: Outcome
) -> list[str]:
    rows = read_again(data) or []
    share = float(options["--max-bad-share"])
    names = {row.get("image") for row in rows if isinstance(row, dict)}
    if share == 0:
        if any(misspelt_image(row) for row in rows):
            return ["a row has a key that looks like image"]
        wrong = [name for name in names if name and not _good(images, name)]
        if wrong:
            return [f"accepted the picture {ascii(wrong[0])[:60]}"]
    index = json.loads((out / "index.json").read_text())
    array = np.load(out / "features.npy", mmap_mode="r")
    problems = [] if np.isfinite(array).all() else ["a feature is not finite"]
    if array.shape[0] != len(index["images"]):
        problems.append("features and names differ in number")
    return problems


def _good(images: Path, name: Any) -> bool:
    if not isinstance(name, str) or "\0" in name or not (images / name).is_file():
        return False
    return picture_problem((images / name).read_bytes()) is None
