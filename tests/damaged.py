"""Records as nobody writes them: each value of a real one replaced by nonsense, or taken out."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paretoken.cli import main

NONSENSE: tuple[Any, ...] = (
    *(None, True, -1, 0, 0.5, 10**400, -(10**400), 1e308, math.nan, math.inf),
    *("", "x", "1", "\x1b[2J", [], [[]], [None], ["x"], [1, 2, 3], {}, {"x": []}, {"K": 1}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where a record has values: under all keys, and at both ends of lists."""
    yield path
    if isinstance(value, dict):
        inside = list(value)
    else:
        inside = sorted({0, len(value) - 1}) if isinstance(value, list) and value else []
    for key in inside:
        yield from places(value[key], (*path, key))


def damaged(record: Any, most: int | None = None) -> Iterator[tuple[str, Any]]:
    """Yield records that are wrong in one place, with words that say how; ``most`` of them at random."""
    found = [(path, value) for path in places(record) for value in (*NONSENSE, damaged)]
    if most is not None:
        found = random.Random(0).sample(found, min(most, len(found)))
    for path, value in found:
        made = copy.deepcopy(record)
        place = made
        for key in path[:-1]:
            place = place[key]
        if not path:
            made = None if value is damaged else value
        elif value is damaged:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        words = "nothing" if value is damaged else repr(value)[:20]
        yield f"{'.'.join(map(str, path))} is {words}", made


def require_user_errors(
    record: Any, path: Path, command: list[str], most: int | None = None
) -> tuple[int, int]:
    """Run a command on damaged versions of a record: it may succeed or refuse, but not break down.

    Args:
        record: a real one.
        path: where each version is written, as the command's arguments name it.
        command: its arguments.
        most: how many versions are tried; None: all.

    Returns:
        How often it succeeded, and how often it refused.
    """
    ended = [0, 0]
    for words, made in damaged(record, most):
        path.write_text(json.dumps(made))
        try:
            code = main(command)
        except Exception as error:
            raise AssertionError(f"{words}: {type(error).__name__}: {error}") from error
        assert code in (0, 2), (words, code)
        ended[bool(code)] += 1
    return ended[0], ended[1]
