"""Child processes that neither outlive their test nor make it wait for ever."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

#: Far more than any child needs, on any machine, to say its next word.
LIMIT_S = 240.0


@contextmanager
def running(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process to be listened to, and kill it at the end of the block if it still runs.

    Its standard input stays open until then: what reads it waits without sleeping.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes | options) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str], stream: IO[str] | None = None) -> str:
    """Return the next line of what a process prints, or says on another stream.

    One that says nothing in time is killed, which makes the line empty.
    """
    stream = stream or process.stdout
    assert stream is not None
    timer = threading.Timer(LIMIT_S, process.kill)
    timer.start()
    try:
        return stream.readline()
    finally:
        timer.cancel()
