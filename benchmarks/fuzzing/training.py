"""Fuzz `train` with changed recipes, options, rows and tokens for tiny models."""

from __future__ import annotations

import json
import math
import re
import shutil
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzzing.cases import Attempt, Outcome, run_command
from fuzzing.hub import damage_file
from fuzzing.mutations import mutate_often
from fuzzing.stored import write_rows

NUMBERS = (
    "0",
    "1",
    "-1",
    "3",
    "5",
    "36",
    "37",
    "1.5",
    "nan",
    "1e30",
    "4294967296",
    "1099511627776",
    "x",
)
OPTIONS = (
    "--tokens",
    "--seed",
    "--compressor-heads",
    "--init-std",
    "--layers",
    "--query-layer",
    "--projector-width",
    "--threads",
)
#: KEY=VALUE for --set, most of which a recipe must reject.
SETS = (
    "learning_rate=4e-5",
    "steps=0",
    "steps=-1",
    "global_batch=0",
    "global_batch=7",
    "max_length=3",
    "max_length=100000",
    "max_length=-5",
    "warmup=2",
    "betas=[1, 1]",
    "betas=0.9",
    "epsilon=0",
    "learning_rates.llm=1e-3",
    "learning_rates.projector=nan",
    "learning_rates.projector=1e308",
    "learning_rates=3",
    "precision=fp8",
    "attention=flash_attention_2",
    "attention=none",
    "packing=2",
    "packing=true",
    "micro_batch=3",
    "micro_batch=0",
    "epochs=1",
    "divergence=0",
    "clip=-1",
    "=",
    "a.b.c=1",
    "stage=finetune",
    "workers=-1",
    "steps=true",
    "log_every=0",
    "deepspeed=none.json",
    "weight_decay=[",
    "memory_gib=1",
    "by_length=null",
    "keep_checkpoints=0",
)
#: Keys of a recipe whose values must be true or false.
FLAGS = ("packing", "by_length", "gradient_checkpointing", "tensorboard")


def train(rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Train two steps with one change."""
    out, recipe, tokens = folder / "out", folder / "pretrain.yaml", world / "tokens"
    settings: Any = yaml.safe_load((world / "pretrain.yaml").read_text())
    options, words = {"--tokens": "4", "--compressor-heads": "4"}, ""
    rest: list[str | Path] = []
    part = rng.choice(["recipe", "option", "set", "rows", "tokens"]) if changed else "nothing"
    if part == "recipe":
        settings, words = mutate_often(rng, settings)
    elif part == "option":
        option, value = rng.choice(OPTIONS), rng.choice(NUMBERS)
        options[option], words = value, f"{option} {value}"
    elif part == "set":
        words = rng.choice(SETS)
        rest = ["--set", words]
    elif part == "rows":
        tokens, words = _other_rows(rng, folder, world)
    elif part == "tokens":
        tokens = Path(shutil.copytree(world / "tokens", folder / "tokens"))
        path = rng.choice(sorted(tokens.iterdir()))
        words = f"{path.name} {damage_file(rng, path)}"
    recipe.write_text(yaml.safe_dump(settings, allow_unicode=False))
    line: list[str | Path] = [
        "train",
        "--stage",
        "pretrain",
        "--recipe",
        recipe,
        "--llm",
        world / "llm",
        "--vision",
        world / "vision",
        "--tokenized",
        tokens,
        "--features",
        world / "features",
        "--compressor",
        "tokenpacker",
        "--out",
        out,
    ]
    line += [word for pair in options.items() for word in pair]
    judge = partial(_judge, out, settings, options)
    return Attempt([*line, *rest], words or "the same recipe" * changed, [], judge, _late)


def _other_rows(rng: Random, folder: Path, world: Path) -> tuple[Path, str]:
    """Tokenize rows that are each valid, but not together or not with these features."""
    rows = [json.loads(line) for line in (world / "train.jsonl").read_text().splitlines()]
    what = rng.choice(["no image at all", "other pictures", "one row", "long answers", "long questions"])
    if what == "no image at all":
        rows = [{"id": row["id"], "conversations": _text_only(row)} for row in rows]
    elif what == "other pictures":
        rows[-1]["image"] = "elsewhere.png"
    elif what == "one row":
        rows = rows[:1]
    else:
        turn = int(what == "long answers")
        for row in rows:
            row["conversations"][turn]["value"] += " red" * 400
    write_rows(folder / "rows.jsonl", rows)
    line = [
        "tokenize",
        "--data",
        str(folder / "rows.jsonl"),
        "--llm",
        str(world / "llm"),
        "--out",
        str(folder / "tokens"),
    ]
    run_command(line)
    return folder / "tokens", what


def _text_only(row: dict[str, Any]) -> list[dict[str, str]]:
    turns: list[dict[str, str]] = row["conversations"]
    return [{**turn, "value": turn["value"].replace("<image>\n", "")} for turn in turns]


def _judge(out: Path, settings: Any, options: dict[str, str], outcome: Outcome) -> list[str]:
    record = json.loads((out / "run.json").read_text())
    problems = [f"the loss is {loss}" for _, loss in record["loss"] if not math.isfinite(loss)]
    if not record.get("learned_tokens", 1) and options["--tokens"] != "0":  # V = 0 has no stage 1
        problems.append("nothing was learned")
    if int(float(options.get("--seed", "0"))) >= 2**32:
        problems.append("a seed of more than 32 bits was accepted")
    zeros = ("--compressor-heads", "--projector-width", "--threads")
    problems += [f"accepted {option} 0" for option in zeros if options.get(option) == "0"]
    return problems + _settings_problems(settings)


def _settings_problems(settings: Any) -> list[str]:
    """Return values of an accepted recipe that are of the wrong type."""
    flags = [key for key in FLAGS if not isinstance(settings.get(key, True), bool)]
    numbers = [key for key, value in settings.items() if key not in FLAGS and isinstance(value, bool)]
    return [f"{key} is {settings[key]!r}" for key in [*flags, *numbers]]


def _late(outcome: Outcome) -> list[str]:
    return ["rejected after the first step"] if re.search(r"step \d+/\d+ loss", outcome.err) else []
