"""Signs of life of jobs: processes of this machine, the driver's lock, SLURM's queue, fresh files."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from paretoken.slurm.freeze import belongs_to
from paretoken.slurm.programs import ask

#: A job whose files are older than this is not running, if something could still be running it ...
QUIET_S = 900.0
#: ... and if nothing could: no driver and no queued job are known for this folder.
QUIET_ALONE_S = 120.0

#: How much of the end of a log is read.
TAIL_BYTES = 16_384
STEP = re.compile(r"\bstep (\d{1,18})(?:/| of )(\d{1,18})(?!\d)")
COUNT = re.compile(r"^[\w.-]+: (\d{1,18})/(\d{1,18})$")
#: Last lines of jobs that ended well.
ENDED_WELL = re.compile(
    r"(: \d+ steps\b.* FLOPs|answers; \d+ rows left out|\d+ rows|nothing to do( in this stage)?)$"
)


@dataclass(frozen=True)
class Signs:
    """What is known about running jobs, at one moment.

    Attributes:
        now: seconds since the epoch.
        outs: absolute paths that processes of this machine are writing (their ``--out``).
        driven: whether Snakemake runs in this folder, or SLURM has jobs of it (or nobody can tell).
        quiet_s: how long a job may be silent.
    """

    now: float
    outs: frozenset[Path]
    driven: bool
    quiet_s: float

    def process(self, paths: Iterable[Path]) -> bool:
        """Whether a process of this machine is writing one of these paths."""
        return any({path.absolute(), path.resolve()} & self.outs for path in paths)

    def fresh(self, written: float) -> bool:
        """Whether a file written at this time is a sign of life."""
        return self.now - written < self.quiet_s


def look(project: Path, quiet_s: float | None = None) -> Signs:
    """Gather the signs of life of the jobs of a working directory.

    Args:
        project: the working directory.
        quiet_s: how long a job may be silent; None: `QUIET_S` or `QUIET_ALONE_S`.
    """
    driven = _lock_is_held(project / ".snakemake" / "driver.lock") or _queued(project)
    limit = quiet_s if quiet_s is not None else (QUIET_S if driven else QUIET_ALONE_S)
    return Signs(time.time(), frozenset(_outs()), driven, limit)


def _outs() -> Iterator[Path]:
    """Yield what running `paretoken` processes write, from their command lines (Linux only)."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text(errors="replace").split("\0")
            if "--out" not in words or not any("paretoken" in word for word in words):
                continue
            working = (folder / "cwd").readlink()
        except OSError:  # ended meanwhile, or somebody else's
            continue
        for word in words[words.index("--out") + 1 :]:
            if not word or word.startswith("--"):
                break
            yield working / word
            yield (working / word).resolve()  # jobs of a cluster see results by a link


def _lock_is_held(lock: Path) -> bool:
    """Whether a process holds a file lock; asked of the kernel, since taking it would disturb it."""
    try:
        number = f":{lock.stat().st_ino} "
        return any(number in line for line in Path("/proc/locks").read_text().splitlines())
    except FileNotFoundError:
        return lock.exists()  # no /proc: nobody can tell


def _queued(project: Path) -> bool:
    """Whether SLURM has jobs of this folder; True if it does not answer."""
    if shutil.which("squeue") is None:
        return False
    answer = ask(["squeue", "--me", "--all", "--noheader", "--format=%Z"], limit_s=10)
    if answer.output is None:
        return "config" not in answer.complaint  # installed, but of no cluster: no configuration
    return any(belongs_to(Path(line), project.absolute()) for line in answer.output.splitlines() if line)


def tail(log: Path, lines: int = 5) -> list[str]:
    """Return the last lines of a log that hold anything; a line that was rewritten counts once."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    shown = [line.rsplit("\r", 1)[-1].replace("\x1b[K", "").rstrip() for line in text.split("\n")]
    return [line for line in shown if line][-lines:]


def progress_in(lines: Iterable[str]) -> tuple[int, int] | None:
    """Return how many steps (or questions) of how many the last such line of a log tells."""
    for line in reversed(list(lines)):
        if found := STEP.search(line) or COUNT.match(line):
            return int(found[1]), int(found[2])
    return None


def written(paths: Iterable[Path]) -> float | None:
    """Return when the newest of these files and folders was written; None if there is none."""
    times = []
    for path in paths:
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=None)
