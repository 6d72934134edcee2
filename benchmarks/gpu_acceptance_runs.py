"""Run one part of `gpu_acceptance` as a process with a time limit, and read the results that it streams.

A part prints one JSON object per line: first ``{"checks": [names], "machine": {...}}``, then, for each
check, ``{"begins": name}`` and ``{"check": name, "verdict": "pass" | "fail" | "not run", ...}``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Verdict = Literal["pass", "fail", "not run"]
#: Most bytes that are read of what a part prints, and most lines that are quoted of its errors.
MOST_BYTES, QUOTED = 16 * 2**20, 12
#: Seconds to wait for the end of a killed process: one that hangs in a driver may never end.
PATIENCE_S = 10.0


@dataclass
class Outcome:
    """What became of a part.

    Attributes:
        name: its name.
        reason: why it failed or did not run, or "".
        limit_s: its time limit.
        seconds: the time that it took.
        names: the checks that it announced.
        checks: the results by check.
        begun: the checks that were begun, in order.
        machine: device and versions, as the part saw them.
        strange: printed lines that are no results.
    """

    name: str
    reason: str = ""
    limit_s: float = 0.0
    seconds: float = 0.0
    names: list[str] = field(default_factory=list)
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    broken: bool = False

    @property
    def verdict(self) -> Verdict:
        """``fail`` if anything failed, ``pass`` if something passed, otherwise ``not run``."""
        found = {check["verdict"] for check in self.checks.values()}
        if self.broken or "fail" in found:
            return "fail"
        return "pass" if "pass" in found else "not run"

    def count(self, verdict: Verdict) -> int:
        """Return the number of checks with a verdict."""
        return sum(check["verdict"] == verdict for check in self.checks.values())

    def fail(self, reason: str) -> None:
        """Record that the part failed as a whole."""
        self.broken, self.reason = True, reason


def run_part(name: str, command: list[str], limit_s: float) -> Outcome:
    """Run a part until its end or its limit; after a crash, go on with the check after it.

    Args:
        name: what the part is called.
        command: its command line; ``--seconds S --begin K`` is added: the time that it has, and the
            number of its first check.
        limit_s: time limit in seconds, over all attempts.
    """
    outcome = Outcome(name, limit_s=round(limit_s, 1))
    started = time.monotonic()
    while True:
        left = limit_s - (time.monotonic() - started)
        before = _next(outcome)
        with tempfile.TemporaryDirectory() as folder:
            options = ["--seconds", f"{max(left, 0.0):.1f}", "--begin", str(before)]
            code = _attempt([*command, *options], max(left, 0.1), Path(folder))
            _read(outcome, _start(Path(folder) / "out"))
            errors = _last_lines(Path(folder) / "err")
        outcome.seconds = round(time.monotonic() - started, 1)
        if code == 0:
            break
        _blame(outcome, code, errors)
        if code is None or not before < _next(outcome) < len(outcome.names):
            break
    _complete(outcome)
    return outcome


def _attempt(command: list[str], seconds: float, folder: Path) -> int | None:
    """Run a command with its output in ``folder``; return its exit code, None if its time was up."""
    source = str(Path(__file__).resolve().parents[1] / "src")
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    # With several GPUs, the Trainer would split batches over them.
    environment["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.returncode is None:  # its time is up, or this process was interrupted
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE_S)


def _next(outcome: Outcome) -> int:
    """Return the number of the check after the last one that was begun."""
    last = outcome.begun[-1] if outcome.begun else None
    return outcome.names.index(last) + 1 if last in outcome.names else 0


def _read(outcome: Outcome, text: str) -> None:
    """Add the results in what a part printed; lines that are none are kept as strange."""
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            entry = json.loads(line, parse_constant=str)  # a report cannot hold NaN
            if "checks" in entry:
                outcome.names = [str(name) for name in entry["checks"]]
                outcome.machine = dict(entry.get("machine", {}))
            elif "begins" in entry:
                outcome.begun.append(str(entry["begins"]))
            elif entry["verdict"] in ("pass", "fail", "not run"):
                outcome.checks[str(entry.pop("check"))] = entry
            else:
                raise ValueError(entry["verdict"])
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            outcome.strange.append(line[:200])


def _blame(outcome: Outcome, code: int | None, errors: str) -> None:
    """Record a bad end, for the check in which it happened or, before any, for the part."""
    if code is None:
        what = f"did not end within {outcome.limit_s:g} s"
    elif code < 0:
        what = f"was ended by signal {-code} ({_signal(-code)})"
    else:
        what = f"ended with exit code {code}"
    last = outcome.begun[-1] if outcome.begun else None
    outcome.fail(f"the process {what}" + (f", last in {last}" if last else ", before its first check"))
    if last is not None and last not in outcome.checks:
        outcome.checks[last] = {"verdict": "fail", "reason": f"the process {what}", "errors": errors}
    else:
        outcome.reason += f": {errors}" if errors else ""


def _complete(outcome: Outcome) -> None:
    """Record checks that were announced but not run, and lines that are no results."""
    for check in outcome.names:
        outcome.checks.setdefault(check, {"verdict": "not run", "reason": "the part ended before"})
    if outcome.strange:
        first = outcome.strange[0]
        words = f"printed {len(outcome.strange)} lines that are no results, such as {first!r:.100}"
        outcome.fail(f"{outcome.reason}; {words}" if outcome.reason else words)
    elif not outcome.checks and not outcome.broken:
        outcome.fail("printed no results")
    del outcome.strange[QUOTED:]


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return "unknown"


def _start(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(MOST_BYTES).decode("utf-8", "replace")


def _last_lines(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 8192))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return "\n".join(line[:300] for line in lines[-QUOTED:])
