"""Resuming after a killed run: Snakemake's lock outlives its process, a file lock does not."""

from __future__ import annotations

import atexit
import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from paretoken.errors import UserError
from paretoken.io.file_locks import try_lock
from paretoken.jobs.driver_lock import DriverLock, become_owner, name_owner

#: Folders below a study's folder in which rules write logs and benchmarks.
WRITTEN = tuple(
    f"{place}{name}"
    for place in ("", "sources/", "sources/s*/", "runs/*/*/s*/")
    for name in ("logs", "benchmarks")
)


def require_own_logs(studies: Iterable[Path]) -> None:
    """Require that logs and benchmarks of studies are not links: jobs would write to their targets.

    Args:
        studies: folders of results; those that do not exist are skipped.

    Raises:
        UserError: such a folder, or a file in one, is a link that leads out of the folder around it.
    """
    for study in studies:
        for folder in (found for pattern in WRITTEN for found in study.glob(pattern)):
            around = folder.parent.resolve()
            for path in (folder, *(folder.iterdir() if folder.is_dir() else ())):
                if path.is_symlink() and not path.resolve().is_relative_to(around):
                    raise UserError(
                        f"{path} is a link to {path.readlink()}; jobs would write their logs there. "
                        "Logs and benchmarks must be files of the study's own folder: remove the link"
                    )


def _open_own(path: Path) -> IO[str]:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644), "w")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UserError(f"{path} is a link; remove it: it would be overwritten") from error
        raise


def take_over(folder: Path) -> DriverLock | None:
    """Become the driver of a working directory, if no other process is, and drop a stale lock.

    Snakemake locks a directory with files that remain after `kill -9`, and then refuses to run until it
    is told to unlock. For the process that becomes the driver (see `paretoken.jobs.driver_lock`), these
    files are stale.

    Args:
        folder: the `.snakemake` folder of the working directory.

    Returns:
        The lock, to be kept while running; None if another process is the driver (then Snakemake's
        lock is valid).
    """
    folder.mkdir(exist_ok=True)
    path = folder / "driver.lock"
    stream = _open_own(path)
    state = try_lock(stream, path)
    lock = None if state == "taken" else become_owner(folder, stream, state)
    if lock is None:
        name_owner(folder)
        stream.close()
        return None
    atexit.register(lock.close)
    shutil.rmtree(folder / "locks", ignore_errors=True)
    return lock
