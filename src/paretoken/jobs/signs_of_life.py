"""Signs that jobs are running: their heartbeats and logs, and SLURM's queue."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paretoken.io.progress import Progress
from paretoken.slurm.freeze import belongs_to
from paretoken.slurm.job_names import digest, outputs_of
from paretoken.slurm.queue import HELD, Queued, ask_queue

#: A job whose last heartbeat is older than so many seconds is not running: one is due every ten seconds.
QUIET_S = 120.0
#: Seconds that squeue may take.
SQUEUE_S = 10.0
#: Bytes at the end of a log that are read.
TAIL_BYTES = 16_384


@dataclass(frozen=True)
class Signs:
    """The signs of running jobs at one moment.

    Attributes:
        now: the moment, in seconds since the epoch.
        quiet_s: largest age of a running job's heartbeat, in seconds.
        queue: SLURM's jobs that have not ended, by the digest of each file that they will write.
        complaint: why SLURM's queue is not known; empty if it is, or if there is no SLURM here.
        host: name of this machine.
    """

    now: float
    quiet_s: float = QUIET_S
    queue: Mapping[str, Queued] = field(default_factory=dict)
    complaint: str = ""
    host: str = field(default_factory=socket.gethostname)

    def queued(self, result: Path) -> Queued | None:
        """Return SLURM's job that will write a file, if there is one."""
        return self.queue.get(digest([str(result)]))

    def alive(self, found: Progress) -> bool:
        """Whether a command that did not report its end still runs."""
        return self.fresh(found.heartbeat) and (found.host != self.host or _exists(found.pid))

    def fresh(self, written: float) -> bool:
        """Whether a file that was written at this time is a sign of a running job."""
        return self.now - written < self.quiet_s


def gather_signs(project: Path, quiet_s: float | None = None) -> Signs:
    """Return the signs of running jobs of a working directory.

    Args:
        project: the working directory.
        quiet_s: largest age of a running job's heartbeat, in seconds; None: `QUIET_S`.
    """
    queue, complaint = _queue(project.absolute())
    return Signs(time.time(), QUIET_S if quiet_s is None else quiet_s, queue, complaint)


def _queue(project: Path) -> tuple[dict[str, Queued], str]:
    if shutil.which("squeue") is None:
        return {}, ""
    jobs, answer = ask_queue(limit_s=SQUEUE_S)
    if jobs is None:  # SLURM may be installed on a machine that belongs to no cluster
        return {}, "" if "config" in answer.complaint else answer.complaint
    left = [job for job in jobs if job.fate == "alive" or job.state == HELD]
    own = [job for job in left if belongs_to(job.folder, project)]
    own.sort(key=lambda job: job.state == "RUNNING")  # of two for the same file, the running one wins
    return {made: job for job in own for made in outputs_of(job.mark)}, ""


def _exists(pid: int) -> bool:
    """Whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


def tail(log: Path, lines: int = 5) -> list[str]:
    """Return the last lines of a log that are not empty; of a rewritten line, its last version."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    shown = [line.rsplit("\r", 1)[-1].replace("\x1b[K", "").rstrip() for line in text.split("\n")]
    return [line for line in shown if line][-lines:]


def modified(path: Path) -> float | None:
    """Return when a file was last modified, in seconds since the epoch; None if there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None
