"""Progress of a running command: a small JSON file beside its result, for `paretoken status`.

The file ``.NAME.progress.json`` is beside the path that ``--out`` names; on a cluster, that is a disk
that all machines share. A thread renews its heartbeat, also while weights are loaded or a kernel is
compiled.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Literal, get_args

from paretoken.errors import StoppedEarlyError, UserError
from paretoken.io.escape import message
from paretoken.io.files import read_object
from paretoken.io.ownership import require_ownership

#: The folder of all studies.
RESULTS = "results"
#: Seconds between two heartbeats.
HEARTBEAT_S = 10.0
#: Most characters of an error's message in the file.
LONGEST_ERROR = 500

End = Literal["done", "failed", "stopped"]


@dataclass(frozen=True)
class Progress:
    """The progress of a command.

    Attributes:
        command: name of the command.
        stage: what it does at the moment; empty until it reports a stage.
        step: steps, questions or conversations that are done; None: not known.
        of: number of all of them.
        since: when it started, in seconds since the epoch.
        heartbeat: when it was last known to run, in seconds since the epoch.
        host: the machine that it runs on.
        pid: its process id there.
        end: how it ended; None while it runs, and if it was killed.
        error: message of the error that ended it; empty without one.
    """

    command: str
    stage: str
    step: int | None
    of: int | None
    since: float
    heartbeat: float
    host: str
    pid: int
    end: End | None = None
    error: str = ""


def progress_file(out: Path) -> Path:
    """Return the path of the progress file of a command that writes ``out``."""
    return out.parent / f".{out.name}.progress.json"


def read_progress(out: Path) -> Progress | None:
    """Return the progress of the command that writes ``out``; None without a valid progress file."""
    try:
        found = Progress(**read_object(progress_file(out)))
    except (UserError, TypeError):  # missing, damaged, or of another version
        return None
    return found if _is_valid(found) else None


def _is_valid(found: Progress) -> bool:
    texts, times, counts = (
        (found.command, found.stage, found.host, found.error),
        (found.since, found.heartbeat),
        (found.step, found.of),
    )
    return (
        all(isinstance(text, str) for text in texts)
        and all(_is_number(value) for value in times)
        and all(count is None or (_is_whole(count) and count >= 0) for count in counts)
        and _is_whole(found.pid)
        and found.pid > 0
        and found.end in (None, *get_args(End))
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and value - value == 0)


class _Reporter:
    """Keeps the progress files of one command up to date, from its own thread and the command's."""

    def __init__(self, command: str, outs: Sequence[Path]) -> None:
        now = time.time()
        self.files = [progress_file(out) for out in outs]
        self.state = Progress(command, "", None, None, now, now, socket.gethostname(), os.getpid())
        self.lock, self.ended = Lock(), Event()
        self.thread = Thread(target=self._beat, name="progress", daemon=True)

    def start(self) -> None:
        self._write()
        self.thread.start()

    def report(self, stage: str, step: int, of: int) -> None:
        last = step >= of  # nothing else may be reported before the command ends
        self._write(last, stage=stage, step=step, of=of)

    def end(self, how: End, error: str = "") -> None:
        self.ended.set()
        self.thread.join()
        self._write(end=how, error=error[:LONGEST_ERROR])

    def _beat(self) -> None:
        while not self.ended.wait(HEARTBEAT_S):
            self._write()

    def _write(self, now: bool = True, **changes: Any) -> None:
        """Change the state, and write the files ``now`` or with the next heartbeat."""
        with self.lock:
            self.state = replace(self.state, heartbeat=time.time(), **changes)
            for file in self.files if now else ():
                _store(self.state, file)


def _store(state: Progress, file: Path) -> None:
    """Write a file; a full disk, or a folder that does not exist yet, does not end the command."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError, UserError):
        temporary.write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
        require_ownership(file)  # a later start of this job reports its own progress
        temporary.replace(file)
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


_running: list[_Reporter] = []


@contextmanager
def reported(command: str, outs: Sequence[Path]) -> Iterator[None]:
    """Keep progress files beside ``outs`` while a command runs (see `report`), and write how it ended.

    Only the first of several training processes writes them.

    Args:
        command: name of the command.
        outs: files and folders that it writes.
    """
    if os.environ.get("RANK", "0") != "0" or not outs:
        yield
        return
    reporter = _Reporter(command, outs)
    reporter.start()
    _running.append(reporter)
    try:
        yield
    except BaseException as error:
        reporter.end(*_end_by(error))
        raise
    else:
        reporter.end("done")
    finally:
        _running.remove(reporter)


def _end_by(error: BaseException) -> tuple[End, str]:
    if isinstance(error, KeyboardInterrupt):
        return "stopped", "interrupted"
    words = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return "stopped" if isinstance(error, StoppedEarlyError) else "failed", message(words)


def report(stage: str, step: int, of: int) -> None:
    """Report the progress of the command that runs in this process, if there is one.

    Args:
        stage: what it does at the moment.
        step: number of steps that are done.
        of: number of all steps.
    """
    if _running:
        _running[-1].report(stage, step, of)


def outs_of(arguments: Any) -> list[Path]:
    """Return the paths given as ``--out`` that belong to a study.

    `paretoken status` looks below ``results`` only; elsewhere the files would be clutter.
    """
    out = getattr(arguments, "out", None)
    outs = [out] if isinstance(out, Path) else list(out or [])
    return [path for path in outs if RESULTS in path.parent.parts and path.name != ".."]
