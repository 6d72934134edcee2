"""Types of command-line arguments that several commands share."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path

from paretoken.errors import UserError
from paretoken.seeds import LARGEST_SEED

#: More tokens than any model reads.
MOST_TOKENS = 10**9


def positive(text: str) -> float:
    """Return a finite number > 0."""
    value = _number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be greater than 0")
    return value


def not_negative(text: str) -> float:
    """Return a finite number >= 0."""
    value = _number(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be 0 or more")
    return value


def text_tokens(text: str) -> float:
    """Return a number of text tokens, >= 0 and less than any model reads."""
    value = not_negative(text)
    if value > MOST_TOKENS:
        raise argparse.ArgumentTypeError(f"{text!r} must be at most {MOST_TOKENS:,}")
    return value


def utilisation(text: str) -> float:
    """Return a share of a device's peak: from a millionth (less makes hours without end) to 1."""
    value = _number(text)
    if not 1e-6 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be from 0.000001 to 1")
    return value


def whole(text: str) -> int:
    """Return a whole number >= 0."""
    return _whole(text, 0)


def seed(text: str) -> int:
    """Return a number that all random generators take as a seed."""
    value = whole(text)
    if value > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} must be at most {LARGEST_SEED:,}, as a seed")
    return value


def count(text: str) -> int:
    """Return a whole number >= 1."""
    return _whole(text, 1)


def _whole(text: str, least: int) -> int:
    value = _number(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} must be {least} or more")
    if value != int(value) or value >= 2**53:  # beyond that floats are not exact
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number below 2^53")
    return int(value)


def named(text: str) -> str:
    """Return a text that is not empty: an empty one would stand for the default."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty; leave the option out for its default")
    return text


def assignment(text: str) -> tuple[str, str]:
    """Return the two sides of COLUMN=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} must be COLUMN=VALUE")
    return name, value


def demand_own_outputs(outputs: Sequence[Path | None], inputs: Sequence[Path | None]) -> None:
    """Refuse files to write of which one would overwrite another, or what is read (None: not given).

    Raises:
        UserError: two of them are one file, or one is among ``inputs``.
    """
    given = [path for path in outputs if path is not None]
    written = [os.path.realpath(path) for path in given]  # `resolve` stumbles over links in a circle
    read = {os.path.realpath(path) for path in inputs if path is not None}
    for path, place in zip(given, written, strict=True):
        if place in read:
            raise UserError(f"{path} would overwrite what is read; give another name")
        if written.count(place) > 1:
            raise UserError(f"{path} would be written twice; give each file a name of its own")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not finite")
    return value
