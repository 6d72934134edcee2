"""Every number on the command line: 0 and the like are refused, or mean what they say."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from paretoken.cli import COMMANDS, build_parser, main
from paretoken.commands import arguments
from paretoken.commands.arguments import assignment, named
from paretoken.commands.token_arguments import add_choice_arguments
from paretoken.config.sources import Llm, MadeLlm, StageGpus, Vision
from paretoken.config.study import FitSettings
from paretoken.io import ranges
from paretoken.train.recipe import Recipe

TRIED = ("0", "-1", "nan", "inf", "-inf", "1e400", "")
#: Options for which 0 is a number like others, and what it means.
ZERO = {
    "--seed": "the first seed",
    "--world-seed": "the first seed",
    "--tokens": "V = 0: the model sees no image",
    "--gpus": "no GPU: one process on the CPU",
    "--text-tokens": "a question without text tokens",
    "--law-text-tokens": "no text inside the error",
    "--bootstrap": "no replicates, no intervals",
    "--runners-up": "none is listed",
    "--max-bad-share": "no row may be bad",
    "--budget-gpu-hours": "nothing may be spent: exit code 1 for any work",
    "--layers": "the encoder's embeddings",
    "--query-layer": "the encoder's embeddings",
}
#: Commands that refuse 0 all the same: a law has no value where the model sees no image.
SEES_AN_IMAGE = {("frontier", "--tokens"), ("recommend", "--tokens"), ("latency", "--tokens")}
HUGE = ("1e300", str(10**30), "1e400")
LARGE = ("1e15", str(10**15))
#: Options for which 10^15 is a number like others, and why.
ANY_UNIT = "in any unit that the user chooses"
UNBOUNDED = {
    "--limit": "as many questions as there are",
    "--runners-up": "as many as there are",
    "--holdout-n": ANY_UNIT,
    "--huber-delta": ANY_UNIT,
    "--chance": ANY_UNIT,
    "--maximum": ANY_UNIT,
    "--price-per-hour": ANY_UNIT,
    "--budget": ANY_UNIT,
    "--budget-gpu-hours": ANY_UNIT,
    "--budget-flops": ANY_UNIT,
    "--budget-ms": ANY_UNIT,
    "--budget-gib": ANY_UNIT,
    "--budget-j": ANY_UNIT,
}
#: Options for which -1 is one: layers are counted from the end.
FROM_THE_END = {"--layers", "--query-layer"}


@cache
def parser_of(command: str) -> argparse.ArgumentParser:
    """Return the parser of one command, with its own arguments."""
    (actions,) = (
        action
        for action in build_parser(command)._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    parser: argparse.ArgumentParser = actions.choices[command]
    return parser


def numeric(action: argparse.Action) -> bool:
    """Whether an option takes numbers."""
    return action.type is not None and action.type not in (Path, assignment, named)


def numbers() -> Iterator[tuple[str, str]]:
    """Yield every command with every option that takes a number."""
    for command in COMMANDS:
        for action in parser_of(command)._actions:
            if numeric(action):
                yield command, action.option_strings[-1]


def value_of(action: argparse.Action) -> str:
    """Return something that an option takes."""
    if action.choices:
        return str(next(iter(action.choices)))
    return "a=b" if action.type is assignment else "1"


def line(command: str, option: str, value: str) -> list[str]:
    """Return a command line with all that must be there, and one option's value."""
    parser = parser_of(command)
    words = [f"{option}={value}"]
    alternatives = [group for group in parser._mutually_exclusive_groups if group.required]
    needed = [action for action in parser._actions if action.required and action.option_strings]
    for group in alternatives:
        if all(option not in action.option_strings for action in group._group_actions):
            needed.append(group._group_actions[0])
    for action in needed:
        if option not in action.option_strings:
            words += [action.option_strings[-1], value_of(action)]
    return words


def taken(command: str, option: str, value: str) -> Any:
    """Return what a command makes of an option's value, None if it refuses it with exit code 2."""
    words = line(command, option, value)
    try:
        parsed = parser_of(command).parse_args(words)
    except SystemExit as stop:
        return None if stop.code == 2 else stop.code
    name = option.removeprefix("--").replace("-", "_")
    found = getattr(parsed, name)
    return found[0] if isinstance(found, list) else found


def test_there_are_numbers_to_try() -> None:
    found = list(numbers())
    assert len(found) > 60
    assert {"predict", "fit", "train", "latency", "plan"} <= {command for command, _ in found}
    assert set(ZERO) == {option for _, option in found if option in ZERO}


@pytest.mark.parametrize(("command", "option"), list(numbers()))
def test_a_number_that_means_nothing_is_refused(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert taken(command, option, "1") == 1
    for value in TRIED:
        found = taken(command, option, value)
        if value == "0" and option in ZERO and (command, option) not in SEES_AN_IMAGE:
            assert found == 0
        elif value == "-1" and option in FROM_THE_END:
            assert found == -1
        else:
            assert found is None, f"{command} {option}={value} is {found}"
            said = capsys.readouterr().err
            assert f"argument {option}" in said
            assert value != "-1" or option in ZERO or "must be 0 or more" not in said, (
                "0 is refused, too"
            )


@pytest.mark.parametrize(("command", "option"), list(numbers()))
def test_a_number_that_no_machine_could_use_is_refused(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in (*HUGE, *LARGE):
        found = taken(command, option, value)
        if value in LARGE and option in UNBOUNDED:
            assert found == 10**15
        else:
            assert found is None, f"{command} {option}={value} is {found}"
            said = capsys.readouterr().err
            assert f"argument {option}" in said
            assert any(words in said for words in ("at most", "is not finite", "must be from")), said


def test_bounds_of_the_command_line_are_those_of_the_config() -> None:
    for kind, record, field, largest in (
        (arguments.width, MadeLlm, "width", ranges.LARGEST_WIDTH),
        (arguments.parameters, Llm, "params", ranges.MOST_PARAMETERS),
        (arguments.grid, Vision, "grid", ranges.LARGEST_GRID),
        (arguments.gpus, StageGpus, "predict", ranges.LARGEST_JOB),
        (arguments.size, Recipe, "memory_gib", ranges.LARGEST),
        (arguments.threads, Recipe, "workers", ranges.MOST_THREADS),
        (arguments.batch, Recipe, "global_batch", ranges.LARGEST_BATCH),
        (arguments.some_tokens, Recipe, "max_length", ranges.MOST_TOKENS),
        (arguments.replicates, FitSettings, "bootstrap", ranges.MOST_REPLICATES),
    ):
        assert kind(str(largest)) == largest
        with pytest.raises(argparse.ArgumentTypeError, match="must be at most"):
            kind(str(largest + 1))
        for value, right in ((largest, True), (largest + 1, False)):
            with pytest.raises(ValidationError) as refused:
                record.model_validate({field: value, "other": 1})
            assert any(e["loc"][0] == field for e in refused.value.errors()) is not right


@pytest.mark.parametrize(("command", "option"), list(numbers()))
def test_a_default_is_a_value_that_could_be_given(command: str, option: str) -> None:
    (action,) = (a for a in parser_of(command)._actions if option in a.option_strings)
    for value in action.default if isinstance(action.default, list) else [action.default]:
        if value is not None:
            assert taken(command, option, str(value)) == value
            assert math.isfinite(value)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (command, action.option_strings[-1])
        for command in COMMANDS
        for action in parser_of(command)._actions
        if action.type is named
    ],
)
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_name_is_not_the_default(command: str, option: str, value: str) -> None:
    assert taken(command, option, value) is None
    assert taken(command, option, "x") == "x"


def test_a_delta_without_a_huber_loss_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--table", "t.csv", "--out", str(tmp_path / "f.json"), "--huber-delta", "0.1"]
    assert main([*words, "--loss", "squared"]) == 2
    assert "--huber-delta has no effect on the loss squared" in capsys.readouterr().err
    assert main([*words, "--loss", "log_huber"]) == 2
    assert "t.csv" in capsys.readouterr().err


def test_constants_of_compressors_are_no_defaults_of_options() -> None:
    parser = argparse.ArgumentParser()
    add_choice_arguments(parser)
    found = vars(parser.parse_args(["--compressor", "quecc", "--tokens", "4"]))
    own = ("layers", "query_layer", "compressor_heads", "init_std")
    assert {name: found[name] for name in own} == dict.fromkeys(own)
