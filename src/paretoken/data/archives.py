"""Unpacking archives from elsewhere: nothing outside the target, no links, no bombs, never a part.

Files go to a hidden folder beside the target, which takes the target's name when everything is
there. A killed run leaves the hidden folder, and the next one goes on with it.
"""

from __future__ import annotations

import glob
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from filelock import FileLock, Timeout

from paretoken.data.archive_safety import Budget, Limits, safe_name
from paretoken.data.manifest import COMMON
from paretoken.errors import UserError
from paretoken.settings import digest

FORMATS = ".zip, .tar, .tar.gz, .tgz"
UNPACKING = ".unpacking-"

LIMITS = Limits()
Progress = Callable[[int, int], None]


def unpack(
    path: Path,
    folder: Path,
    inner: str = "",
    limits: Limits = LIMITS,
    workers: int = 4,
    progress: Progress = lambda done, total: None,
) -> int:
    """Unpack an archive so that ``folder`` appears whole or not at all; see `unpacking_alone`.

    Args:
        path: the archive.
        folder: the folder to make; it must not exist, unless it is empty.
        inner: the folder in the archive that becomes ``folder``; `COMMON`: the one that all files
            share; empty: the archive's top.
        limits: what it may unpack to.
        workers: threads that write files of a zip archive.
        progress: is told how much of how much is done.

    Returns:
        How many files ``folder`` holds.

    Raises:
        UserError: the archive is damaged, unsafe, too large or in no known format, or the disk is
            full.
    """
    kind = next((k for k in READERS if path.name.lower().endswith(k)), None)
    if kind is None:
        raise UserError(f"{path} has an unknown format; expected {FORMATS}")
    try:
        staging = _staging(path, folder)
        try:
            count = READERS[kind](path, staging, inner, limits, workers, progress)
            top = _top(path, staging, inner)
        except REFUSALS:
            shutil.rmtree(staging, ignore_errors=True)  # the next archive is another one
            raise
        if folder.exists():
            folder.rmdir()  # made by hand before; an error if there is something in it
        top.rename(folder)
        shutil.rmtree(staging, ignore_errors=True)
    except DAMAGES as error:
        raise UserError(f"{path} is damaged: {error}; delete it and download it again") from error
    except OSError as error:
        raise UserError(f"{path} cannot be unpacked into {folder}: {error}") from error
    return count


@contextmanager
def unpacking_alone(folder: Path, say: Callable[[str], None] = print) -> Iterator[None]:
    """Be the only process that unpacks into ``folder``: wait for another one to end, if there is one.

    Studies share their data; the jobs that make it ready may start at the same time, on several nodes.

    Raises:
        UserError: nothing can be written beside the folder.
    """
    path = folder.parent / f"{UNPACKING}{folder.name}.lock"
    lock = FileLock(path, mode=0o666, poll_interval=0.5)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            say(f"another process unpacks into {folder}; waiting for it")
            lock.acquire()
    except OSError as error:
        raise UserError(f"{folder} cannot be unpacked into: {error}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # still held: whoever waits for this file sees that it is gone
        lock.release()


def _staging(path: Path, folder: Path) -> Path:
    """Return the hidden folder of this archive, which holds what an earlier run had unpacked."""
    status = path.stat()
    version = digest(path.name, status.st_size, status.st_mtime_ns)
    prefix = f"{UNPACKING}{folder.name}-"
    staging = folder.parent / f"{prefix}{version}"
    staging.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.glob(glob.escape(prefix) + "?" * len(version)):
        if other != staging:  # of another version of the archive
            shutil.rmtree(other, ignore_errors=True)
    return staging


def _top(path: Path, staging: Path, inner: str) -> Path:
    """Return the folder in ``staging`` that becomes the target."""
    top = staging if inner == COMMON else staging / inner
    if not top.is_dir() or not any(top.iterdir()):
        raise UserError(f"{path} holds no files{f' in {inner}' if inner else ''}")
    while inner == COMMON:
        entries = list(top.iterdir())
        if len(entries) != 1 or not entries[0].is_dir():
            break
        top = entries[0]
    return top


def _below(name: str, inner: str) -> bool:
    return inner in {"", COMMON} or name.startswith(f"{inner}/")


def _is_there(target: Path, size: int) -> bool:
    try:
        return target.stat().st_size == size
    except FileNotFoundError:
        return False


def _write(source: IO[bytes], target: Path) -> None:
    with target.open("wb") as stream:
        shutil.copyfileobj(source, stream, 1 << 20)


def _unpack_zip(
    path: Path, staging: Path, inner: str, limits: Limits, workers: int, progress: Progress
) -> int:
    with zipfile.ZipFile(path) as archive:
        members = _zip_members(path, archive, inner, limits)
        for parent in {str(PurePosixPath(name).parent) for name, _ in members}:
            (staging / parent).mkdir(parents=True, exist_ok=True)
        todo = [(n, info) for n, info in members if not _is_there(staging / n, info.file_size)]
        _demand_space(staging, sum(info.file_size for _, info in todo))

        def write(part: Sequence[tuple[str, zipfile.ZipInfo]]) -> int:
            for name, info in part:
                with archive.open(info) as source:  # checks the CRC at the end
                    _write(source, staging / name)
            return len(part)

        done = len(members) - len(todo)
        pool = ThreadPoolExecutor(max(1, workers))
        try:
            parts = [todo[start : start + 256] for start in range(0, len(todo), 256)]
            for count in pool.map(write, parts):
                done += count
                progress(done, len(members))
        finally:
            pool.shutdown(cancel_futures=True)
    return len(members)


def _zip_members(
    path: Path, archive: zipfile.ZipFile, inner: str, limits: Limits
) -> list[tuple[str, zipfile.ZipInfo]]:
    """Return the files of a zip archive with their safe paths (`UserError` if one is not safe)."""
    budget, members = Budget(path, limits), []
    for info in archive.infolist():
        name, kind = safe_name(info.filename, path), stat.S_IFMT(info.external_attr >> 16)
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise UserError(f"{path}: {name!r} is a link or a device; it is not unpacked")
        if name is None or info.is_dir() or not _below(name, inner):
            continue
        if info.flag_bits & 1:
            raise UserError(f"{path} is encrypted; it is not unpacked")
        budget.add(name, info.file_size)
        members.append((name, info))
    return members


def _demand_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(f"{folder.parent} has {free:,} bytes free; {needed:,} are needed")


def _unpack_tar(
    path: Path, staging: Path, inner: str, limits: Limits, workers: int, progress: Progress
) -> int:
    budget, size, made = Budget(path, limits), path.stat().st_size, set[Path]()
    with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|*") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else half a gigabyte for the mix
            name = safe_name(member.name, path)
            if not member.isdir() and (not member.isreg() or member.issparse()):
                raise UserError(f"{path}: {name!r} is a link or a device; it is not unpacked")
            if name is None or member.isdir() or not _below(name, inner):
                continue
            budget.add(name, member.size)
            target = staging / name
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            source = archive.extractfile(member)
            if source is not None and not _is_there(target, member.size):
                _write(source, target)
            progress(raw.tell(), size)
    return len(budget.names)


#: By suffix; longer ones first.
READERS: dict[str, Callable[[Path, Path, str, Limits, int, Progress], int]] = {
    ".zip": _unpack_zip,
    ".tar.gz": _unpack_tar,
    ".tgz": _unpack_tar,
    ".tar": _unpack_tar,
}

#: What the standard library raises for damaged archives (`NotImplementedError`: odd compression).
DAMAGES: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    NotImplementedError,
)
REFUSALS: tuple[type[Exception], ...] = (UserError, *DAMAGES)
