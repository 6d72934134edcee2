"""Writing folders whole or not at all, as `paretoken.io.files` does for single files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.ownership import require_ownership
from paretoken.io.partial import partial_folder


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` that takes its name if the block succeeds.

    An existing folder is replaced.

    Raises:
        UserError: the folder cannot be written, is a file or holds the current directory, the disk is
            full, or a later start of this job owns it.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; give the name of a folder to write")
    require_apart(path, Path.cwd())
    try:
        with partial_folder(path) as folder:
            new = folder / "new"
            new.mkdir()
            yield new
            _swap(new, path, folder / "old")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error}") from error


def require_apart(out: Path, *needed: Path | None) -> None:
    """Require that an output folder holds no inputs: replacing the folder would delete them.

    Args:
        out: the folder to write.
        needed: files and folders that are read (None: not given).

    Raises:
        UserError: one of them is ``out``, or lies in it.
    """
    target = Path(os.path.realpath(out))  # `resolve` fails on circular links
    for path in needed:
        if path is not None and Path(os.path.realpath(path)).is_relative_to(target):
            raise UserError(f"{out} is or holds {path}, which would be deleted; write another folder")


def _swap(new: Path, path: Path, old: Path) -> None:
    for part in new.rglob("*"):
        if part.is_file():
            with part.open("rb") as written:
                os.fsync(written.fileno())
    require_ownership(path)
    if path.exists():
        path.rename(old)  # a rename onto a non-empty folder fails; nothing is ever half deleted
    new.rename(path)
