"""Configs changed at random: `check` says yes or no in words, and never breaks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from feasible_studies import ROOT, Raw, shipped
from paretoken.cli import main
from paretoken.config.config import parse
from paretoken.errors import UserError
from paretoken.feasibility.examine import require_runnable
from project_copy import copy_project
from report_study import latency_table

#: What is put in the place of a value.
NUMBERS: tuple[Any, ...] = (0, 1, -1, 3, 2**31, 2**40, 10**400, 0.5, 1e-300, float("inf"), float("nan"))
TEXTS = (
    *("", "x", ".", "..", "~", "a b", "ünï", "\0", "1e3", "0x10", "/no/where", "x" * 300, "product"),
    *("quecc", "fig4", "paper", "config.yaml", "workflow"),
)
OTHERS = (*NUMBERS, *TEXTS, None, True, [], [[]], [0], ["x"], [None], {}, {"name": "x"}, {1: 2}, b"b")
SEEDS = range(300)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of a config."""
    if not isinstance(value, dict | list):
        return
    for key, part in list(value.items()) if isinstance(value, dict) else enumerate(value):
        yield (*way, key)
        yield from places(part, (*way, key))


def mutated(rng: random.Random) -> Raw:
    """Return the shipped config with one to three values dropped, replaced, repeated or moved."""
    raw = shipped()
    for _ in range(rng.randint(1, 3)):
        *way, last = rng.choice(list(places(raw)))
        at: Any = raw
        for key in way:
            at = at[key]
        kind = rng.choice(("drop", "replace", "replace", "repeat", "swap", "rename"))
        if kind == "drop":
            del at[last]
        elif kind == "repeat" and isinstance(at, list):
            at.append(at[last])
        elif kind == "rename" and isinstance(at, dict):
            at[f"{last}s"] = at.pop(last)
        elif kind == "swap":
            at[last] = value_at(raw, rng.choice(list(places(raw))))
        else:
            at[last] = rng.choice(OTHERS)
    return raw


def value_at(raw: Raw, way: tuple[Any, ...]) -> Any:
    at: Any = raw
    for key in way:
        at = at[key]
    return at


def readable(message: str) -> bool:
    """Return whether a message is made of problems with a place each, and not of Python."""
    head, *lines = message.splitlines()
    python = ("Traceback", "pydantic", "NoneType", "object at 0x")
    return "problem(s)" in head and bool(lines) and not any(word in message for word in python)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mutated_config_is_accepted_or_refused_in_words(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    raw = mutated(random.Random(seed))
    complaint = refusal(raw)
    assert complaint is None or readable(complaint), complaint


def refusal(raw: Raw) -> str | None:
    """Return why a config is refused; None if it is not."""
    try:
        require_runnable(parse(raw))
    except UserError as error:
        return str(error)
    return None


def test_mutations_are_accepted_sometimes_and_refused_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    accepted = sum(refusal(mutated(random.Random(seed))) is None for seed in range(60))
    assert 3 <= accepted <= 30


ODD = (
    "&a [*a]",
    "run: &a [*a]",
    "run: 2024-13-45",
    "{" * 3000,
    "run: " + "9" * 5000,
    "? [1]\n: 2",
    'run: "\\ud800"',
    "1: 2",
)


@pytest.mark.parametrize("text", ODD)
def test_odd_yaml_is_refused_in_words(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert main(["check", "--config", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_check_prints_warnings_and_every_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["check"]) == 0
    assert "warning: data[0].root: data/llava" in capsys.readouterr().err
    raw = shipped()
    raw["studies"][3]["published"] = None
    raw["studies"][1]["training"]["layers"] = [9]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(raw))
    assert main(["check", "--config", str(path)]) == 2
    complaint = capsys.readouterr().err
    assert "studies[3].claims: five_times_faster needs" in complaint
    assert "studies[1].training.layers: 9 is not a layer" in complaint
    assert "warning: " in complaint


def test_a_latency_table_that_is_one_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    raw = shipped()
    raw["studies"][0].update(latency=str(latency_table(tmp_path / "latency.csv")), price_per_hour=2)
    assert require_runnable(parse(raw)) == []


@pytest.mark.slow
def test_what_check_accepts_can_be_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = copy_project(tmp_path)
    monkeypatch.chdir(project.folder)
    tried = ((seed, mutated(random.Random(seed))) for seed in SEEDS)
    accepted = ((seed, raw) for seed, raw in tried if refusal(raw) is None)
    for seed, raw in islice(accepted, 3):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw))
        done = project.snakemake("--dry-run", "--quiet")
        assert done.returncode == 0, (seed, done.stderr)
