"""One case: a changed input, the command line that reads it, its outcome, and the verdict."""

from __future__ import annotations

import io
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Literal, Protocol

from paretoken.cli import main

Verdict = Literal["accepted", "rejected", "traceback", "nonsense"]

#: CPU seconds beyond which a small case counts as hanging.
SECONDS = 120


class HangsError(BaseException):
    """The command does not end; its code must not catch this exception."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a command: exit code (None after an exception), output, and the exception."""

    code: int | None
    out: str
    err: str
    failure: str = ""


def _no_complaint(outcome: Outcome) -> list[str]:
    return []


@dataclass(frozen=True)
class Attempt:
    """A changed input, and how to judge its outcome.

    Attributes:
        line: the command line.
        change: the change in words; empty for an unchanged input, which must be accepted.
        made: the paths that the command writes; after a rejection, none of them may exist.
        judge: returns the problems of an input that was accepted.
        late: returns the problems with the time of a rejection.
    """

    line: Sequence[str | Path]
    change: str
    made: Sequence[Path] = ()
    judge: Callable[[Outcome], list[str]] = _no_complaint
    late: Callable[[Outcome], list[str]] = _no_complaint


class Target(Protocol):
    """A target of fuzzing: a function that makes the attempt of one case in an empty folder."""

    def __call__(self, rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
        """Return an attempt; ``world`` is the folder of stand-ins, which are only read."""


@dataclass(frozen=True)
class Result:
    """The verdict on one case, with the reasons."""

    target: str
    number: int
    verdict: Verdict
    change: str
    reasons: tuple[str, ...] = ()
    line: tuple[str, ...] = field(default=(), repr=False)


def run_case(target: str, make: Target, seed: int, number: int, folder: Path, world: Path) -> Result:
    """Make, run and judge one case; case 0 of each target is its unchanged input.

    The same target, seed and number give the same case, regardless of earlier cases.
    """
    attempt = make(Random(f"{seed} {target} {number}"), folder, world, number > 0)  # noqa: S311
    line = [str(word) for word in attempt.line]
    outcome = run_command(line)
    verdict, reasons = judge(attempt, outcome)
    return Result(target, number, verdict, attempt.change, tuple(reasons), tuple(line))


def run_command(line: Sequence[str]) -> Outcome:
    """Run a command in this process and catch everything that it raises."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code: int | None = None
        failure = ""
        try:
            with _time_limit():
                code = main(line)
        except SystemExit as stop:  # argparse
            code = stop.code if isinstance(stop.code, int) else None
            failure = "" if code == 2 else f"SystemExit({stop.code!r})"
        except BaseException:
            failure = traceback.format_exc()
    return Outcome(code, out.getvalue(), err.getvalue(), failure)


def judge(attempt: Attempt, outcome: Outcome) -> tuple[Verdict, list[str]]:
    """Return the verdict on the outcome of an attempt, with its reasons."""
    if outcome.failure or outcome.code is None or "Traceback (most recent" in outcome.err:
        return "traceback", [outcome.failure or outcome.err or "no exit code"]
    if outcome.code == 2:
        reasons = [*_rejection(attempt, outcome), *attempt.late(outcome)]
        if not attempt.change:
            reasons.append(f"the unchanged input was rejected: {outcome.err[-500:]}")
        return ("nonsense" if reasons else "rejected"), reasons
    try:
        reasons = attempt.judge(outcome)
    except Exception:  # the written output does not even have the right form
        reasons = [f"what came out cannot be judged: {traceback.format_exc()}"]
    return ("nonsense" if reasons else "accepted"), reasons


def _rejection(attempt: Attempt, outcome: Outcome) -> list[str]:
    """Return the problems of a rejection: no message, or something half-written."""
    reasons = []
    message = outcome.err.rpartition(f"paretoken {attempt.line[0]}: ")[2].strip()
    if len(message) < 20:
        reasons.append(f"rejected without a useful message: {message!r}")
    reasons += [f"rejected, but {path.name} was written" for path in attempt.made if path.exists()]
    places = {path.parent for path in attempt.made}
    left = [str(found) for place in places if place.is_dir() for found in place.glob(".partial-*")]
    return [*reasons, *(f"rejected, but {path} was left behind" for path in left)]


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise HangsError(f"the command was still running after {SECONDS} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
