"""Hidden folders in which results are written before they take their names.

Each holds a file lock, which the kernel releases with the process that has it: what a killed process
left behind can be told from what another one is writing, and the next writer removes it.
"""

from __future__ import annotations

import fcntl
import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: What their names start with.
PARTIAL = ".partial-"

LOCK = "lock"
RANDOM = 8  # characters that `mkdtemp` appends


@contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside ``path``, which is removed in the end.

    Being in the same folder, what is written there can take the name of ``path`` by a rename.

    Raises:
        OSError: the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{PARTIAL}{path.name}-"
    for other in path.parent.glob(glob.escape(prefix) + "?" * RANDOM):
        if _abandoned(other):
            shutil.rmtree(other, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix))
    try:
        with (folder / LOCK).open("w") as lock:
            with suppress(OSError):  # a file system without locks: what is left there stays
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
