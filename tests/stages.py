"""Stages on the tiny world: inputs, recipes and token files of one's own rows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paretoken.cli import main
from paretoken.models.assemble import Choice
from paretoken.train.recipe import Recipe, read_recipe
from paretoken.train.stage import StageInputs


def inputs(world: Path, out: Path, **changes: Any) -> StageInputs:
    """Return the inputs of a stage of 4 tokens, from stored features unless images are given."""
    features = None if "images" in changes else world / "features"
    made = StageInputs(
        llm=world / "llm", vision=world / "vision", data=world / "tokens", out=out,
        choice=Choice("average_pool", 4), seed=0, features=features, aspect="crop",
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def recipe(world: Path, stage: str = "pretrain", **changes: Any) -> Recipe:
    """Return a recipe of the world, changed."""
    return read_recipe(world / f"{stage}.yaml", stage, [(k, str(v)) for k, v in changes.items()])


def conversation(image: str | None, *turns: str) -> dict[str, Any]:
    """Return a row of a data set: turns of user and assistant by turns."""
    said = [{"from": ("human", "gpt")[i % 2], "value": turn} for i, turn in enumerate(turns)]
    return {"conversations": said} | ({} if image is None else {"image": image})


def tokenized(world: Path, folder: Path, rows: Sequence[dict[str, Any]], *options: str) -> Path:
    """Return a folder with the tokens of rows."""
    folder.mkdir(parents=True, exist_ok=True)
    data, out = folder / "rows.json", folder / "tokens"
    data.write_text(json.dumps(list(rows)))
    command = ["tokenize", "--data", str(data), "--llm", str(world / "llm"), "--out", str(out)]
    assert main([*command, *options]) == 0
    return out
