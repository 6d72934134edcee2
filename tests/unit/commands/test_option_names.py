"""An option has one meaning: the same type, the same placeholder and the same words in every command."""

from __future__ import annotations

import argparse
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from paretoken.cli import COMMANDS, build_parser

#: Options whose help differs from command to command, and the words that all of them share.
MEANING = {
    "--aspect": "how an image becomes square",
    "--batch": "at a time",
    "--benchmark": "benchmark",
    "--budget": "most that a question may cost",
    "--cells": "of each cell",
    "--compressor": "name of the compressor",
    "--data": "rows",
    "--grid": "patches per side that the encoder must have",
    "--images": "folder of image files",
    "--law": "scaling law",
    "--limit": "ask only the first COUNT questions",
    "--llm": "folder of the language model",
    "--max-bad-share": "from 0 to 1",
    "--max-new-tokens": "most tokens of an answer",
    "--measured": "CSV of measured errors",
    "--name": "name",
    "--normalise": "each layer to mean 0 and variance 1",
    "--out": "to write",
    "--params-b": "billions of parameters",
    "--price-per-hour": "price of one hour",
    "--questions": "files of questions",
    "--seed": "random seed of",
    "--set": "change the recipe",
    "--shapes": "shapes.json of `paretoken shapes`",
    "--skipped": "skipped.json of `paretoken data`",
    "--source": "hub repository (owner/name), or a local folder",
    "--study": "name of the study in the config",
    "--study-file": "study.json of the study",
    "--template": "chat template",
    "--text-tokens": "text tokens per question",
    "--threads": "CPU threads",
    "--tokens": "visual tokens per image",
}
#: Options of which some commands take other values than the rest, and why.
OTHER_VALUES = {
    "--text-tokens": "a law takes a mean; a prompt that is measured has a whole number of them",
    "--tokens": "a law has no value at V = 0; a model may see no image",
    "--benchmark": "lmms-eval has benchmarks of its own",
}
#: What is written, although its name does not begin with --out.
WRITTEN_INSTEAD = {("check", "--write-schema")}


@cache
def options() -> dict[str, dict[str, argparse.Action]]:
    """Return option -> command -> what is declared."""
    parser = build_parser(None, whole=True)
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    found: dict[str, dict[str, argparse.Action]] = defaultdict(dict)
    for command, sub in commands.choices.items():
        for action in sub._actions:
            for name in action.option_strings:
                found[name][command] = action
    return {name: where for name, where in found.items() if name not in ("-h", "--help")}


def several() -> list[str]:
    """Return the options that two commands or more have."""
    return [name for name, where in options().items() if len(where) > 1]


def test_all_parsers_are_looked_at() -> None:
    assert {command for where in options().values() for command in where} == set(COMMANDS)
    assert len(several()) > 40


@pytest.mark.parametrize("name", several())
def test_an_option_means_the_same_in_every_command(name: str) -> None:
    found = options()[name].values()
    assert len({type(action) for action in found}) == 1
    assert len({action.metavar for action in found}) == 1
    types = {action.type for action in found}
    assert (len(types) > 1) == (name in OTHER_VALUES), f"{name} has the types {types}"
    helps = {action.help for action in found}
    if name in MEANING:
        assert all(MEANING[name] in str(text) for text in helps), helps
    else:
        assert len(helps) == 1, helps


def test_the_tables_hold_nothing_that_is_not_needed() -> None:
    assert set(MEANING) <= set(several())
    assert not [name for name in MEANING if len({a.help for a in options()[name].values()}) == 1]
    assert set(OTHER_VALUES) <= set(several())


def test_only_options_that_begin_with_out_are_written() -> None:
    for name, where in options().items():
        for command, action in where.items():
            if action.type is Path and (command, name) not in WRITTEN_INSTEAD:
                assert ("to write" in str(action.help)) == name.startswith("--out"), f"{command} {name}"


def test_every_option_is_explained() -> None:
    for name, where in options().items():
        for command, action in where.items():
            assert action.help, f"{command} {name}"
            assert action.help is not argparse.SUPPRESS
