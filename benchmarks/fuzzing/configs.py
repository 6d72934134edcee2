"""Fuzz `check` and `plan`: changed values, keys or overrides of config.yaml, or a damaged file."""

from __future__ import annotations

import copy
import json
import math
import os
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzzing.cases import Attempt, Outcome, run_command
from fuzzing.mutations import Change, mutate, places
from fuzzing.stored import damage_text
from fuzzing.world import ROOT

#: KEY=VALUE of a recipe: invalid ones, each for one reason, and valid ones.
WRONG = (
    "learning_rate=4e-5",
    "global_batch=0",
    "global_batch=-256",
    "global_batch=many",
    "max_length=",
    "max_length=0",
    "learning_rates.llms=1e-4",
    "learning_rates=1",
    "precision=fp8",
    "warmup=1.5",
    "packing=maybe",
    "epochs=0",
    "steps=0",
    "betas=[2, 1]",
    "betas=1",
    "schedule=linear",
    "attention=flash",
    "clip=-1",
    "clip=nan",
    "a.b=1",
    "=3",
    "max_length",
    "global_batch=1e400",
    "stage=nothing",
    "workers=-1",
    "max_length=[",
    "deepspeed=none.json",
)
RIGHT = (
    "max_length=4096",
    "learning_rates.projector=2e-3",
    "weight_decay=0.1",
    "epochs=2",
    "global_batch=512",
    "by_length=true",
    "clip=0",
)
#: Keys with free text, and keys that may name something that does not exist yet.
FREE_TEXT = ("question", "title")
NOT_YET = ("root", "measured", "latency", "hub", "revision", "source", "task", "metric", "include")


@cache
def shipped() -> Any:
    """Return the project's config, with its paths made absolute."""
    content = yaml.safe_load((ROOT / "config.yaml").read_text())
    content = copy.deepcopy(json.loads(json.dumps(content)))  # so that no two places share a list
    for place, value in list(places(content)):
        if isinstance(value, str) and value.startswith("workflow/"):
            holder = content
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = str(ROOT / value)
    return content


def _changed_config(rng: Random, folder: Path, changed: bool) -> tuple[Path, str, Change | None]:
    """Write a config; return its path, the change in words, and the change of one value, if any."""
    path, content, change, words = folder / "config.yaml", shipped(), None, ""
    what = rng.choices(["value", "override", "file"], [16, 3, 1])[0] if changed else "nothing"
    if what == "value":
        content, change = mutate(rng, content, _part(rng, content))
        words = str(change)
    elif what == "override":
        content, word, stage = copy.deepcopy(content), rng.choice(WRONG + RIGHT), rng.choice(STAGES)
        name = rng.choice(["paper", "miniature"])
        study = next(study for study in content["studies"] if study["name"] == name)
        study["training"].setdefault("overrides", {})[stage] = [word]
        words = f"overrides of {name} {stage}: {word}"
    path.write_text(yaml.safe_dump(content, allow_unicode=False, sort_keys=False))
    if what == "file":
        words = f"config.yaml {damage_text(rng, path)}"
    return path, words, change


STAGES = ("pretrain", "finetune")
#: Indices of the miniature and of the paper's study, which use changed models and data.
PLANNED_ALWAYS = (1, 3)


def _part(rng: Random, content: Any) -> tuple[str | int, ...]:
    """Return the place of a record to change: half of the time a study."""
    key = rng.choice(["studies", "studies", "studies", "llms", "vision", "data"])
    return (key, rng.randrange(len(content[key])))


def check(rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Check a changed config."""
    path, words, change = _changed_config(rng, folder, changed)
    return Attempt(["check", "--config", path], words, [], partial(_judge, path, change, words))


def _judge(path: Path, change: Change | None, words: str, outcome: Outcome) -> list[str]:
    if words.startswith("overrides"):
        return [f"accepted {words}"] if words.split(": ", 1)[1] in WRONG else []
    problem = None if change is None else value_problem(change)
    if problem:
        return [f"accepted {problem}"]
    changed = [change.place[1]] if change and change.place[0] == "studies" else PLANNED_ALWAYS
    return [problem for number in changed for problem in _plans(path, number)]


def value_problem(change: Change) -> str | None:
    """Return why a change makes a config invalid, judged by its kind alone; None if it may be valid."""
    key = next((part for part in reversed(change.place) if isinstance(part, str)), "")
    before, after = change.before, change.after
    if change.kind in ("rename", "repeat"):
        return f"{change.kind}: {ascii(after)[:60]} in {key}"
    if change.kind in ("drop", "swap") or after == before or None in (before, after):
        return None
    if isinstance(before, bool) and after in (0, 1):
        return None
    if _form(before) != _form(after) and not (key == "run" and isinstance(after, str)):
        number = _form(before) is float and isinstance(after, str)
        return _number_problem(key, after) if number else f"{after!r} for {before!r} in {key}"
    if _form(before) is float:
        return _number_problem(key, after)
    return _text_problem(key, before, after) if isinstance(before, str) else None


def _form(value: Any) -> type:
    """Return the type of a YAML value; an integer counts as a float, but a boolean does not."""
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _number_problem(key: str, after: Any) -> str | None:
    try:
        number = float(after)
    except (TypeError, ValueError):
        return None if after is None else f"{after!r} in {key}"
    return f"{after!r} in {key}" if number < 0 or not math.isfinite(number) else None


def _text_problem(key: str, before: str, after: str) -> str | None:
    if not after.strip() or "\0" in after:
        return f"{after!r} in {key}"
    if key in (*FREE_TEXT, *NOT_YET):
        return None
    if before.startswith(str(ROOT)):  # a path in the config
        return None if _there(after) else f"the path {after!r} in {key}"
    return None if key == "name" else f"{after!r} for {before!r} in {key}"


def _there(path: str) -> bool:
    return "\0" not in path and os.path.isfile(path)  # noqa: PTH113 (a name that is too long is not a file)


def _plans(path: Path, number: str | int) -> list[str]:
    """Return why a study of an accepted config cannot be planned."""
    study = yaml.safe_load(path.read_text(encoding="utf-8-sig"))["studies"][number]
    if not study.get("training"):
        return []
    outcome = run_command(["plan", "--config", str(path), "--study", str(study["name"])])
    if outcome.failure:
        return [f"accepted, but plan fails: {outcome.failure.strip()[-300:]}"]
    return [f"accepted, but plan rejects it: {outcome.err.strip()[-300:]}"] * (outcome.code == 2)


PLANNED = {
    "--utilisation": ("0.4", "0", "1", "1.5", "-1", "1e-7", "nan", "x"),
    "--price-per-hour": ("2", "0", "-1", "1e308", "nan", "inf", ""),
    "--budget-gpu-hours": ("1000", "0", "-5", "1e308", "inf", "x"),
    "--devices": ("h100", "a100-80g", "h1000", ""),
    "--format": ("csv", "json", "xml"),
}


def plan(rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Plan a study with changed options, or a study of a changed config."""
    path, words = _changed_config(rng, folder, changed and rng.random() < 0.4)[:2]
    study = rng.choice(["paper", "table1", "miniature"])
    out = folder / "plan.txt"
    line: list[str | Path] = ["plan", "--config", path, "--study", study, "--out", out]
    options: dict[str, str] = {}
    if changed and not words:
        names = rng.sample(list(PLANNED), rng.choice([1, 2]))
        options = {name: rng.choice(PLANNED[name]) for name in names}
        words = " ".join(f"{name} {value!r}" for name, value in options.items())
    given = [word for pair in options.items() for word in pair]
    judge = partial(_judge_plan, [str(word) for word in line], out, options)
    return Attempt([*line, *given], words, [out], judge)


def _judge_plan(line: list[str], out: Path, options: dict[str, str], outcome: Outcome) -> list[str]:
    text = out.read_text()
    problems = [f"the plan says {word}" for word in ("nan", "inf ") if word in text.lower().split()]
    if options.get("--format") == "json":
        json.loads(text, parse_constant=_no_number)
    zeros = {name: value for name, value in options.items() if value == "0"}
    if zeros and outcome.code == 0:
        rest = [word for pair in options.items() if pair[0] not in zeros for word in pair]
        plain = run_command([*line[:-1], f"{out}.plain", *rest])
        if plain.code == 0 and Path(f"{out}.plain").read_text() == text:
            problems.append(f"{', '.join(zeros)} 0 means the same as nothing")
    return problems


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")
