"""Checks of `gpu_acceptance`: what one is, how several are run, and how their results are printed."""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

#: A check is begun if the time left is this multiple of what it may take, and at least so many seconds.
CAUTION, LEAST_S = 1.3, 1.0
#: Most lines of a traceback that a result holds.
TRACEBACK = 12

Result = dict[str, Any]


@dataclass(frozen=True)
class Check:
    """A check of a part.

    Attributes:
        name: its name, unique within the part.
        run: returns the result: ``verdict``, ``rule`` and numbers.
        cost: how long it takes relative to the part's other checks.
    """

    name: str
    run: Callable[[], Result]
    cost: float = 1.0


def judged(passed: bool, rule: str, **numbers: Any) -> Result:
    """Return a result."""
    return {"verdict": "pass" if passed else "fail", **numbers, "rule": rule}


def not_run(reason: str) -> Result:
    """Return the result of a check that could not be run, with the reason."""
    return {"verdict": "not run", "reason": reason}


def run_checks(
    checks: Sequence[Check],
    emit: Callable[[Result], None],
    left: Callable[[], float],
    recover: Callable[[], None],
    first: int = 0,
) -> None:
    """Run checks and emit their results; one that fails does not stop the others.

    Args:
        checks: all checks of the part.
        emit: called with each line of the output.
        left: returns the seconds that are left.
        recover: frees memory after each check; raises if the device no longer works.
        first: number of the first check to run.
    """
    rate = 0.0  # seconds per cost of the last check
    for check in checks[first:]:
        if left() < max(LEAST_S, CAUTION * rate * check.cost):
            emit({"check": check.name, **not_run("no time was left")})
            continue
        emit({"begins": check.name})
        started = time.monotonic()
        try:
            result = check.run()
        except Exception as error:  # whatever goes wrong is the result
            lines = traceback.format_exc().splitlines()[-TRACEBACK:]
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            result = {"verdict": "fail", "reason": reason, "errors": "\n".join(lines)}
        seconds = time.monotonic() - started
        rate = seconds / check.cost
        emit({"check": check.name, **result, "check_s": round(seconds, 2)})
        recover()


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: floats with six digits, and nan and infinity as text."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)


@contextmanager
def results_only(stream: TextIO) -> Iterator[Callable[[Result], None]]:
    """Yield a function that prints results; whatever libraries print goes to the errors instead."""
    with os.fdopen(os.dup(stream.fileno()), "w", encoding="utf-8") as own:
        os.dup2(sys.stderr.fileno(), stream.fileno())

        def emit(result: Result) -> None:
            print(json.dumps(plain(result)), file=own, flush=True)

        yield emit
