"""Hashes of weight files, kept in a hidden file beside them, so that each file is hashed only once.

A kept hash is used while the file's size, modification time and inode are the same. A copied or replaced
file is therefore hashed again; a change that leaves all three as they were is not noticed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from paretoken.errors import UserError
from paretoken.io.files import read_object, sha256, write_json

#: Name of the hidden file.
KNOWN = ".hashes.json"

#: The hash of a file that changed within these nanoseconds is not kept: another change may get the same
#: modification time, as the clocks of file systems tick in milliseconds, some in two seconds.
SETTLED_NS = 3_000_000_000


class KnownHash(NamedTuple):
    """The SHA-256 of a file that had this size, modification time and inode when it was hashed."""

    bytes: int
    mtime_ns: int
    inode: int
    sha256: str


def file_hashes(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the SHA-256 of files of a folder, kept or new; new ones are kept if the folder is writable.

    Several processes on one machine wait for the one that hashes.

    Raises:
        UserError: a file cannot be read.
    """
    known = _read(folder)
    if not all(_holds(known.get(name), folder / name) for name in names):
        with _alone(folder):
            known = _read(folder)
            for name in names:
                if not _holds(known.get(name), folder / name):
                    known[name] = _hashed(folder / name)
            settled = time.time_ns() - SETTLED_NS
            keep_hashes(folder, {n: entry for n, entry in known.items() if entry.mtime_ns < settled})
    return [known[name].sha256 for name in names]


def keep_hashes(folder: Path, known: Mapping[str, KnownHash]) -> None:
    """Keep hashes of files of a folder; a folder that cannot be written is left as it is."""
    files = {name: list(entry) for name, entry in known.items()}
    if known and known != _read(folder):
        with suppress(UserError):
            write_json(folder / KNOWN, {"files": files, "check": _check(files)})


def known_hash(path: Path, digest: str) -> KnownHash:
    """Return the entry for a file with its present size, modification time and inode."""
    status = path.stat()
    return KnownHash(status.st_size, status.st_mtime_ns, status.st_ino, digest)


def _holds(entry: KnownHash | None, path: Path) -> bool:
    try:
        return entry is not None and entry == known_hash(path, entry.sha256)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _hashed(path: Path) -> KnownHash:
    try:
        before = known_hash(path, "")  # of a file that changes meanwhile, the entry will not hold
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return before._replace(sha256=sha256(path))


def _read(folder: Path) -> dict[str, KnownHash]:
    """Return the kept hashes; empty if there are none, or if the file is damaged."""
    try:
        content = read_object(folder / KNOWN)
        files = content["files"]
        if content["check"] != _check(files):
            return {}
        known = {name: KnownHash(*entry) for name, entry in files.items()}
        return known if all(isinstance(entry.sha256, str) for entry in known.values()) else {}
    except (UserError, KeyError, TypeError, AttributeError):
        return {}


def _check(files: Any) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process on this machine is in this block; without effect where locks fail."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # some network file systems do not lock folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
