"""Types of command-line arguments that several commands share."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from paretoken.errors import UserError
from paretoken.io.ranges import (
    LARGEST,
    LARGEST_AMOUNT,
    LARGEST_BATCH,
    LARGEST_GRID,
    LARGEST_JOB,
    LARGEST_SEED,
    LARGEST_WIDTH,
    LONGEST_WAIT,
    MOST,
    MOST_LAYERS,
    MOST_PARAMETERS,
    MOST_REPLICATES,
    MOST_THREADS,
    MOST_TOKENS,
)

Number = TypeVar("Number", int, float)
#: A parser, or a group of its arguments with a heading.
Group: TypeAlias = argparse.ArgumentParser | argparse._ArgumentGroup


def at_most(largest: float, kind: Callable[[str], Number]) -> Callable[[str], Number]:
    """Return an argument type that rejects values above a bound.

    Args:
        largest: the largest allowed value, one of `paretoken.io.ranges`.
        kind: the argument type to which the bound is added.
    """

    def bounded(text: str) -> Number:
        value = kind(text)
        if value > largest:
            raise argparse.ArgumentTypeError(f"{text!r} must be at most {largest:,.15g}")
        return value

    return bounded


def _positive(text: str) -> float:
    value = _number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be greater than 0")
    return value


def _not_negative(text: str) -> float:
    value = _number(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be 0 or more")
    return value


def _integer(text: str) -> int:
    value = _number(text)
    if value != int(value):
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number")
    return int(value)


def _from(least: int) -> Callable[[str], int]:
    def kind(text: str) -> int:
        value = _number(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} must be {least} or more")
        return _integer(text)

    return kind


def layer(text: str) -> int:
    """Return the index of a layer of a network; negative indices count from the end."""
    value = _integer(text)
    if abs(value) > MOST_LAYERS:
        raise argparse.ArgumentTypeError(f"{text!r} must be from -{MOST_LAYERS:,} to {MOST_LAYERS:,}")
    return value


#: Amounts in any unit (money, time, energy): > 0, and 0 or more.
positive = at_most(LARGEST_AMOUNT, _positive)
not_negative = at_most(LARGEST_AMOUNT, _not_negative)
#: Sizes, in billions of parameters.
size = at_most(LARGEST, _positive)
#: Seconds or minutes to wait.
wait = at_most(LONGEST_WAIT, _positive)
#: Text tokens of a question, and tokens of an answer. They may be means, so fractions are allowed.
text_tokens = at_most(MOST_TOKENS, _not_negative)
answer_tokens = at_most(MOST_TOKENS, _positive)
#: Whole numbers from 0, and from 1.
whole = at_most(MOST, _from(0))
count = at_most(MOST, _from(1))
#: Tokens of a text or an image, from 0, and from 1.
tokens = at_most(MOST_TOKENS, _from(0))
some_tokens = at_most(MOST_TOKENS, _from(1))
#: Parameters of a model.
parameters = at_most(MOST_PARAMETERS, _from(1))
#: Channels or attention heads of a network.
width = at_most(LARGEST_WIDTH, _from(1))
#: Patches per side of a grid.
grid = at_most(LARGEST_GRID, _from(1))
#: Batch sizes: questions, images or conversations.
batch = at_most(LARGEST_BATCH, _from(1))
#: Threads or processes on this machine.
threads = at_most(MOST_THREADS, _from(1))
#: GPUs of a job; 0 for none.
gpus = at_most(LARGEST_JOB, _from(0))
#: Replicates of a bootstrap; 0 for none.
replicates = at_most(MOST_REPLICATES, _from(0))
#: Numbers of repetitions.
repeats = at_most(MOST_REPLICATES, _from(1))
#: Seeds that all random generators accept.
seed = at_most(LARGEST_SEED, _from(0))


def share(text: str) -> float:
    """Return a number from 0 to 1."""
    value = not_negative(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be from 0 to 1")
    return value


def utilisation(text: str) -> float:
    """Return a share of a device's peak, from 0.000001, which bounds the estimated hours, to 1."""
    value = _number(text)
    if not 1e-6 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be from 0.000001 to 1")
    return value


def named(text: str) -> str:
    """Return a non-empty text; an empty one would be treated as the default."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty; leave the option out for its default")
    return text


def assignment(text: str) -> tuple[str, str]:
    """Return the two sides of COLUMN=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} must be COLUMN=VALUE")
    return name, value


def require_own_outputs(outputs: Sequence[Path | None], inputs: Sequence[Path | None]) -> None:
    """Raise `UserError` if an output file would overwrite an input or another output.

    Args:
        outputs: the files to write; None for options that were not given.
        inputs: the files to read; None for options that were not given.

    Raises:
        UserError: two outputs are the same file, or one of them is an input.
    """
    given = [path for path in outputs if path is not None]
    written = [os.path.realpath(path) for path in given]  # `Path.resolve` fails on circular links
    read = {os.path.realpath(path) for path in inputs if path is not None}
    for path, place in zip(given, written, strict=True):
        if place in read:
            raise UserError(f"{path} would overwrite an input; give another name")
        if written.count(place) > 1:
            raise UserError(f"{path} would be written twice; give each output a different name")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not finite")
    return value
