"""Configs of absurd sizes are answered in words, before anything is made of them."""

from __future__ import annotations

import copy
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feasible_studies import ROOT, shipped
from paretoken.compressors.reach import reachable_tokens
from paretoken.config.config import MOST_REPORTED, parse
from paretoken.config.limits import MOST_ERRORS, MOST_ITEMS, errors_of
from paretoken.errors import UserError
from paretoken.feasibility.examine import examine
from paretoken.feasibility.points import Point, cost_nearly_the_same
from paretoken.registry import MOST_NAMES
from paretoken.study.grid import cells

Raw = dict[str, Any]
#: Everything here takes seconds together; what takes the square of a size takes minutes.
CPU_SECONDS, BYTES = 60, 3 * 2**30

GOOD: Raw = {
    "run": ["mine"],
    "llms": [{"name": "small", "params_b": 1}, {"name": "large", "params_b": 7}],
    "vision": [{"name": "clip", "grid": 24}],
    "studies": [
        {
            "name": "mine",
            "question": "?",
            "measured": "m.csv",
            "vision": "clip",
            "llms": ["small", "large"],
            "compressors": [{"name": "random", "tokens": [1, 4]}],
            "suites": [{"name": "a", "title": "A", "role": "reasoning"}],
        }
    ],
}


def sized(place: str, value: Any) -> Raw:
    """Return the good config with a value at a dotted place."""
    raw = copy.deepcopy(GOOD)
    *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    at: Any = raw
    for part in way:
        at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
    at[last] = value
    return raw


def names(count: int) -> list[str]:
    return [f"x{number}" for number in range(count)]


def ladder(sizes: int, tokens: int, studies: int = 1) -> Raw:
    """Return a config with a ladder of many sizes, in every study."""
    raw = sized("llms", [{"name": name, "params_b": i + 1} for i, name in enumerate(names(sizes))])
    study = raw["studies"][0] | {"llms": names(sizes)}
    study["compressors"][0]["tokens"] = list(range(1, tokens + 1))
    return raw | {"studies": [study | {"name": name} for name in ["mine", *names(studies - 1)]]}


STUDY = "studies.0"
LISTS = (
    "llms",
    "predict",
    "holdout",
    "seeds",
    "text_tokens",
    "figures",
    "claims",
    "suites",
    "compressors",
)


@pytest.mark.parametrize(
    "place", [*(f"{STUDY}.{key}" for key in LISTS), "llms", "vision", "data", "studies", "run",
              "other", f"{STUDY}.compressors.0.tokens", f"{STUDY}.fit.laws",
              f"{STUDY}.suites.0.benchmarks", f"{STUDY}.training.blind",
              f"{STUDY}.training.layers", f"{STUDY}.training.lengthened",
              f"{STUDY}.training.benchmarks", f"{STUDY}.training.overrides.pretrain"]
)  # fmt: skip
@pytest.mark.parametrize("item", [7, "x", {"name": "x"}, None, [1]], ids=str)
def test_lists_are_limited_wherever_they_are(place: str, item: Any) -> None:
    with pytest.raises(UserError) as refused:
        parse(sized(place, [item] * (MOST_ITEMS + 1)))
    where = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in place.split("."))[1:]
    assert f"{where}: has 1,001 entries; write at most 1,000" in str(refused.value)


def test_records_are_limited_too() -> None:
    with pytest.raises(UserError, match=r"studies\[0\]: has 5,009 entries; write at most 1,000"):
        parse(sized(STUDY, GOOD["studies"][0] | dict.fromkeys(names(5000 + 2))))


@pytest.mark.parametrize(("sizes", "tokens"), [(1000, 51), (300, 200)])
def test_grids_are_counted_before_they_are_made(sizes: int, tokens: int) -> None:
    total = sizes * tokens
    with pytest.raises(UserError) as refused:
        parse(ladder(sizes, tokens))
    assert f"studies: ask for {total:,} errors" in str(refused.value)
    assert f"studies[0] for {total:,} of them; at most {MOST_ERRORS:,}" in str(refused.value)


def test_errors_are_counted_as_the_grid_has_them() -> None:
    raw = shipped()
    for given, study in zip(raw["studies"], parse(raw).studies, strict=True):
        asked = sum(max(1, len(suite.benchmarks)) for suite in study.suites)
        assert errors_of(given) == len(cells(study)) * asked


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("llms.0.gpus", {"pretrain": 10**15}, "llms[0].gpus.pretrain = 1000000000000000: must be 10,"),
        ("llms.0.make", {"recipe": "l.yaml", "width": 10**15},
         "llms[0].make.width = 1000000000000000: must be 1,000,000 or less"),
        ("data", [{"name": "w", "world": {"recipe": "w.yaml", "seed": 10**15}}],
         "data[0].world.seed = 1000000000000000: must be "),
        ("vision.0.grid", 10**9, "vision[0].grid = 1000000000: must be 1,000 or less"),
        (f"{STUDY}.fit.bootstrap", 10**15, "fit.bootstrap = 1000000000000000: must be 1,000,000"),
        (f"{STUDY}.text_tokens", [10**15], "text_tokens[0] = 1000000000000000: must be 1,000,"),
        (f"{STUDY}.seeds", [10**15], "seeds[0] = 1000000000000000: must be "),
        (f"{STUDY}.compressors.0.tokens", [10**15], "random cannot make 1000000000000000 tokens"),
    ],
)  # fmt: skip
def test_numbers_are_limited(place: str, value: Any, words: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(sized(place, value))
    assert words in str(refused.value)


def test_only_the_first_of_many_problems_and_names_are_reported() -> None:
    with pytest.raises(UserError) as refused:
        parse(ladder(1000, 1) | {"run": [f"y{number}" for number in range(1000)]})
    head, *lines = str(refused.value).splitlines()
    assert head == f"config.yaml has more than {MOST_REPORTED} problem(s):"
    assert len(lines) == MOST_REPORTED
    with pytest.raises(UserError) as refused:
        parse(sized(f"{STUDY}.llms", ["z"]) | {"llms": ladder(1000, 1)["llms"]})
    assert f", x{MOST_NAMES - 1}, ... (1,000 in all)" in str(refused.value)
    assert f"x{MOST_NAMES}," not in str(refused.value)


def test_neighbours_tell_whether_two_sizes_cost_nearly_the_same() -> None:
    near = [Point("a", 1, 8), Point("a", 1, 9), Point("b", 2, 4.4), Point("c", 100, 1)]
    assert cost_nearly_the_same(near)
    assert not cost_nearly_the_same([near[0], near[1], near[3]])
    assert not cost_nearly_the_same([near[2]] * 2)


def test_token_counts_of_the_largest_grid_are_not_listed() -> None:
    assert reachable_tokens("random", 1000) == range(1, 10**6 + 1)
    raw = sized("vision.0.grid", 1000)
    raw["studies"][0]["compressors"] = [
        {"name": name, "tokens": [10**6 + i for i in range(1, MOST_ITEMS + 1)]}
        for name in ("random", "prumerge", "repeat", "downsample", "none")
    ]
    with pytest.raises(UserError, match=r"write some of 1, 2, 3, \.\.\. up to 1000000 in steps of 1"):
        parse(raw)


def trained(studies: int, sizes: int, tokens: int) -> Raw:
    """Return studies of a generated world with many sizes, whose GPUs do not divide the batch."""
    raw, whole = ladder(sizes, tokens, studies), shipped()
    training = next(study["training"] for study in whole["studies"] if study["name"] == "miniature")
    raw["data"] = [data for data in whole["data"] if data["name"] == training["data"]]
    raw["vision"][0]["make"] = {"recipe": "workflow/recipes/miniature_vision.yaml"}
    for llm in raw["llms"]:
        llm["make"] = {"recipe": "workflow/recipes/miniature_llm.yaml", "width": 64}
        llm["gpus"] = {"pretrain": 3}
    for study in raw["studies"]:
        del study["measured"]
        study |= {"training": {**training, "blind": []}, "figures": ["fig4"], "vision": "clip"}
        study["suites"] = [{"name": "a", "title": "A", "role": "reasoning", "benchmarks": ["fact"]}]
    return raw


LARGE: dict[str, Callable[[], Raw]] = {
    "seeds": lambda: sized(f"{STUDY}.seeds", list(range(200_000))),
    "tokens": lambda: sized(f"{STUDY}.compressors.0.tokens", list(range(1, 100_001))),
    "names": lambda: sized(f"{STUDY}.llms", names(100_000)),
    "keys": lambda: {**GOOD, **dict.fromkeys(names(200_000))},
    "records": lambda: sized("llms", [{"nam": name} for name in names(1000)]),
    "unknown": lambda: {**ladder(1000, 1, 40), "llms": GOOD["llms"]},
    "allowed": lambda: ladder(1000, 50),
    "studies": lambda: trained(10, 1000, 1),
    "cells": lambda: trained(1, 1000, 50),
}
EXAMINE = """
import json, sys
from test_absurd_configs import LARGE, examined
print(examined(LARGE[sys.argv[1]]()))
"""


def examined(raw: Raw) -> str:
    """Return what `check` makes of a config: the head of its message, or how much the rules find."""
    try:
        return f"{len(examine(parse(raw)))} findings"
    except UserError as error:
        return str(error).splitlines()[0]


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("seeds", "2 problem(s)"), ("tokens", "2 problem(s)"), ("names", "2 problem(s)"),
        ("keys", "1 problem(s)"), ("records", "more than 100 problem(s)"),
        ("unknown", "more than 100 problem(s)"), ("allowed", "findings"), ("studies", "findings"),
        ("cells", "findings"),
    ],
)  # fmt: skip
def test_large_configs_are_answered_in_moderate_time(name: str, answer: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXAMINE, name], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path])}, preexec_fn=limited,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert answer in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", [["check", "--config"], ["plan", "--study", "mine", "--config"]])
def test_commands_answer_before_anything_is_made(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(sized(f"{STUDY}.seeds", list(range(20_000)))))
    done = subprocess.run(
        [sys.executable, "-m", "paretoken", *command, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
        preexec_fn=limited,
    )
    assert done.returncode == 2
    assert "studies[0].seeds: has 20,000 entries; write at most 1,000" in done.stderr
