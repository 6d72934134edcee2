"""Hidden folders in which results are written before they take their names.

Each holds a file lock, which the kernel releases when its process ends. The next writer can therefore
distinguish the remains of a killed process, which it removes, from the folder of a running one.
"""

from __future__ import annotations

import glob
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paretoken.io.file_locks import try_lock

#: Prefix of their names.
PARTIAL = ".partial-"

LOCK = "lock"
RANDOM = 8  # random characters that `mkdtemp` appends


@contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside ``path``, and remove it at the end.

    It is on the file system of ``path``, so files in it can be renamed to ``path``. Its name cannot be
    guessed, and no other user may read it.

    Raises:
        OSError: the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{PARTIAL}{path.name}-"
    for other in own_folders(path.parent, prefix, RANDOM):
        if _abandoned(other):
            shutil.rmtree(other, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix))
    try:
        with (folder / LOCK).open("w") as lock:
            try_lock(lock, folder / LOCK)  # where locks have no effect, remains are not removed
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def own_folders(parent: Path, prefix: str, length: int) -> list[Path]:
    """Return this user's private folders whose names are ``prefix`` and ``length`` characters.

    Links are left out, and so are folders that another user made or may access: in a folder that several
    users share, they may be there to redirect what this process writes or deletes.
    """
    return [p for p in sorted(parent.glob(glob.escape(prefix) + "?" * length)) if _is_own_folder(p)]


def _is_own_folder(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    private = stat.S_IMODE(status.st_mode) & (stat.S_IRWXG | stat.S_IRWXO) == 0
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and private


def _abandoned(folder: Path) -> bool:
    try:
        with open(folder / LOCK, "r+", opener=_no_link) as lock:
            return try_lock(lock, folder / LOCK) == "held"
    except OSError:
        return False


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)
