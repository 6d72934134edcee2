"""Going on after a killed run: Snakemake's lock outlives its process, a file lock does not."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import IO


def take_over(folder: Path) -> IO[str] | None:
    """Become the driver of a working directory, if no other process is, and drop a stale lock.

    Snakemake marks a directory as locked by files that stay behind after `kill -9`, and then refuses
    to go on until it is told to unlock. The kernel releases this lock with the process that holds
    it, so whoever gets it knows that Snakemake's own is stale.

    Args:
        folder: the `.snakemake` folder of the working directory.

    Returns:
        The open lock file, to be kept open while running; None if another process holds it (then
        Snakemake's lock stands, and its message is right).
    """
    folder.mkdir(exist_ok=True)
    lock = (folder / "driver.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    shutil.rmtree(folder / "locks", ignore_errors=True)
    return lock
