"""Folders written whole or not at all, as `paretoken.files` does for single files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paretoken.errors import UserError

#: Folders that a killed process leaves behind start like this; `sweep` removes them.
PARTIAL = ".partial-"


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` that takes its name if the block succeeds.

    A folder that stood there before is replaced.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{PARTIAL}{path.name}-"))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error}") from error
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp makes private folders; results are shared
        _swap(temporary, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    for part in new.rglob("*"):
        if part.is_file():
            with part.open("rb") as written:
                os.fsync(written.fileno())
    if path.exists():
        # A rename onto a full folder fails; moved aside first, the old one is never half deleted.
        old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{PARTIAL}{path.name}-"))
        path.rename(old / "old")
        new.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    else:
        new.rename(path)


def sweep(parent: Path) -> None:
    """Remove what killed processes left half-written in ``parent``."""
    for leftover in parent.glob(f"{PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
