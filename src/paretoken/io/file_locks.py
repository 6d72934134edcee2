"""File locks of the kernel, and a check whether they work: on some network file systems they do not."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import IO, Literal

#: "held": this process has the lock. "taken": another one has it. "useless": locks have no effect here.
Lock = Literal["held", "taken", "useless"]


def try_lock(stream: IO[str], path: Path) -> Lock:
    """Try to lock an open file, without waiting.

    Locks that are granted but have no effect are detected by locking the file a second time. On some
    file systems (Lustre with `localflock`, NFS with `local_lock`) locks work between the processes of
    one machine only, which cannot be detected from one machine.

    Args:
        stream: the open file; the lock lasts until it is closed.
        path: path of the file.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return "taken" if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else "useless"
    second = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return "held"
    finally:
        os.close(second)
    return "useless"
