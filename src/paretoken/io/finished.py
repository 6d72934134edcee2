"""Detecting finished results: a folder is complete if it holds its record, ``run.json``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.files import read_object

RUN_FILE = "run.json"


def already_done(out: Path, key: str, say: Callable[[str], None] = print, name: str = RUN_FILE) -> bool:
    """Return whether ``out`` is finished: whether it holds its record, which is written last.

    Args:
        out: the folder of the result.
        key: hash of all that determines the result.
        say: called with a message if there is nothing to do.
        name: file name of the record.

    Raises:
        UserError: the record is of a run with other settings; nothing is overwritten.
    """
    path = out / name
    if not path.exists():
        return False
    if read_object(path).get("key") != key:
        raise UserError(
            f"{path} is the record of a run with other settings or seeds; "
            "delete its folder, or choose another --out"
        )
    say(f"{path} exists: nothing to do")
    return True
