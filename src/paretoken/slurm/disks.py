"""Detecting that a job failed because a disk is full, and which one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from paretoken.slurm.job_script import last_start

#: Messages of the C library for ENOSPC and EDQUOT.
NO_SPACE = re.compile(r"No space left on device|[Dd]isk quota exceeded")
#: With fewer bytes than this left, even a log cannot be written.
FULL_BYTES = 2**16
#: Bytes at the end of a log that are read.
END_BYTES = 2**16


def end_of(log: Path) -> str:
    """Return the end of a log, of its last start only; empty if it cannot be read."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - END_BYTES))
            return last_start(stream.read().decode(errors="replace"))
    except OSError:
        return ""


def full_disk(text: str, results: Path, *others: Path) -> str:
    """Return a sentence that names the disk that is full; empty if none is.

    Args:
        text: ends of a failed job's logs.
        results: folder that it wrote to; its disk is checked even if the logs say nothing.
        others: other folders that it wrote to.
    """
    said = [line for line in text.splitlines() if NO_SPACE.search(line)]
    # As in "/results/x.csv cannot be written: No space left on device".
    words = [word.strip("'\":,[]()") for line in said for word in line.partition("No space")[0].split()]
    named = [Path(word) for word in words if "/" in word]
    places = [path for path in [*named, results, *others] if _free(path) < FULL_BYTES]
    if not said and not places:
        return ""
    place = _existing(places[0] if places else results)
    free = _free(place)
    problem = (
        f"is full ({free / 1e6:.1f} MB are free)"
        if free < FULL_BYTES
        else "was full, or its quota was used up"
    )
    return (
        f"the disk of {place} (mounted at {_mount(place)}) {problem}. Free some space and start again: "
        "finished results are kept"
    )


def _free(path: Path) -> float:
    try:
        return shutil.disk_usage(_existing(path)).free
    except OSError:
        return float("inf")


def _existing(path: Path) -> Path:
    """Return the path, or its nearest parent that is an existing folder."""
    path = path.absolute()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def _mount(path: Path) -> Path:
    path = path.resolve()
    while not path.is_mount() and path != path.parent:
        path = path.parent
    return path
