"""Unpacking untrusted archives: whole or not at all, never outside the target, without links or bombs.

Files are written to a hidden folder beside the target, which takes the target's name when it is
complete. A killed run leaves the hidden folder, and the next run of the same user resumes with it.
"""

from __future__ import annotations

import errno
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from filelock import FileLock, Timeout

from paretoken.config.settings import digest
from paretoken.data.archive_safety import Budget, Limits, require_space, safe_name
from paretoken.data.manifest import COMMON
from paretoken.data.tar_reading import OUTPUT, GzipStream, TarReader, named_compression
from paretoken.data.zip_reading import checked_members, read_member, require_bounded_directory
from paretoken.errors import UserError
from paretoken.io.callbacks import ProgressCallback
from paretoken.io.escape import shown
from paretoken.io.partial import own_folders

FORMATS = ".zip, .tar, .tar.gz, .tgz"
UNPACKING = ".unpacking-"
#: The folder in a hidden folder that holds the files; only the user may access the hidden one itself.
FILES = "files"

LIMITS = Limits()


def unpack(
    path: Path,
    folder: Path,
    inner: str = "",
    limits: Limits = LIMITS,
    workers: int = 4,
    progress: ProgressCallback = lambda done, total: None,
) -> int:
    """Unpack an archive so that ``folder`` appears whole or not at all; see `unpacking_alone`.

    Args:
        path: the archive.
        folder: the folder to make; it must not exist, unless it is empty.
        inner: the folder in the archive that becomes ``folder``; `COMMON`: the one that all files
            share; empty: the archive's top.
        limits: the limits of what it may unpack to.
        workers: threads that write files of a zip archive.
        progress: called with the part that is done and the whole.

    Returns:
        How many files ``folder`` holds.

    Raises:
        UserError: the archive is damaged, unsafe, too large or in no known format, or the disk is
            full.
    """
    kind = next((k for k in READERS if path.name.lower().endswith(k)), None)
    if kind is None:
        raise UserError(f"{path} has an unknown format; expected {FORMATS}")
    if not path.is_file():
        raise UserError(f"{path} is not a regular file; expected an archive, {FORMATS}")
    try:
        _require_free(folder)
        staging = _staging(path, folder)
        with _cleaned_on_refusal(staging):
            files = staging / FILES
            files.mkdir(exist_ok=True)
            budget = Budget(path, limits, _folds_names(staging))
            count = READERS[kind](budget, files, inner, workers, progress)
            top = _top(path, files, inner)
        if folder.exists():
            folder.rmdir()  # an empty folder that the user made; an error if it is not empty
        top.rename(folder)
        shutil.rmtree(staging, ignore_errors=True)
    except DAMAGES as error:
        raise UserError(f"{path} is damaged: {error}; delete it and download it again") from error
    except OSError as error:
        raise UserError(f"{path} cannot be unpacked into {folder}: {error}") from error
    return count


@contextmanager
def unpacking_alone(folder: Path, say: Callable[[str], None] = print) -> Iterator[None]:
    """Be the only process that unpacks into ``folder``: wait until another one has ended, if any.

    Studies share their data; the jobs that prepare it may start at the same time, on several nodes.

    Raises:
        UserError: the folder's parent cannot be written.
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
        path.unlink(missing_ok=True)  # while it is locked, so that waiting processes notice
        lock.release()


def _require_free(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise FileExistsError(errno.EEXIST, "it exists and is not an empty folder")


def _staging(path: Path, folder: Path) -> Path:
    """Return the hidden folder of this archive, with the files that an earlier run has unpacked.

    Its name ends with random characters, so that nobody else can prepare it; only a private folder of
    this user is used again.
    """
    status = path.stat()
    version = digest(path.name, status.st_size, status.st_mtime_ns)
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{UNPACKING}{folder.name}-"
    found = own_folders(folder.parent, prefix, len(f"{version}-") + 8)
    kept = [other for other in found if other.name.startswith(f"{prefix}{version}-")][:1]
    for other in found:
        if other not in kept:  # of another version of the archive
            shutil.rmtree(other, ignore_errors=True)
    return kept[0] if kept else Path(mkdtemp(dir=folder.parent, prefix=f"{prefix}{version}-"))


@contextmanager
def _cleaned_on_refusal(staging: Path) -> Iterator[None]:
    """Remove the unpacked files after errors that a later run cannot resume from."""
    try:
        yield
    except Exception as error:
        if not (isinstance(error, OSError) and error.errno in DISK):
            shutil.rmtree(staging, ignore_errors=True)
        raise


def _folds_names(folder: Path) -> bool:
    """Whether the file system ignores the case of names."""
    return (folder / FILES.upper()).exists()


def _top(path: Path, files: Path, inner: str) -> Path:
    """Return the folder in ``files`` that becomes the target."""
    top = files if inner == COMMON else files / inner
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


def _write(parts: Iterable[bytes], target: Path) -> None:
    with target.open("wb") as stream:
        for part in parts:
            stream.write(part)


def _unpack_zip(
    budget: Budget, files: Path, inner: str, workers: int, progress: ProgressCallback
) -> int:
    require_bounded_directory(budget.path, budget)
    with zipfile.ZipFile(budget.path) as archive:
        members = [found for found in checked_members(archive, budget) if _below(found[0], inner)]
        for name, info in members:
            budget.add(name, info.file_size)
        for parent in {str(PurePosixPath(name).parent) for name, _ in members}:
            (files / parent).mkdir(parents=True, exist_ok=True)
        todo = [(n, info) for n, info in members if not _is_there(files / n, info.file_size)]
        require_space(files, sum(info.file_size for _, info in todo))

        def write(part: Sequence[tuple[str, zipfile.ZipInfo]]) -> int:
            for name, info in part:
                _write(read_member(archive, info), files / name)
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


def _unpack_tar(
    budget: Budget, files: Path, inner: str, workers: int, progress: ProgressCallback
) -> int:
    path, made = budget.path, set[Path]()
    size = path.stat().st_size
    with path.open("rb") as raw:
        compressed = path.name.lower().endswith("gz")
        _require_compression(budget, raw.peek(8)[:8], compressed)
        reader = TarReader(GzipStream(raw, budget).read if compressed else raw.read, budget)
        for member in reader:
            name = safe_name(member.name, path, budget.limits)
            if not member.is_file and not member.is_folder and member.same_as is None:
                raise budget.refusal(f"holds {shown(member.name)}, a link or a device")
            if name is None or member.is_folder:
                budget.leave_out()
                continue
            if not _below(name, inner):
                continue
            first = None if member.same_as is None else _linked(budget, files, name, member.same_as)
            length = member.size if first is None else first.stat().st_size
            budget.add(name, length)
            target = files / name
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            if not _is_there(target, length):
                _write(reader.content() if first is None else _content(first), target)
            progress(raw.tell(), size)
    return len(budget.files)


def _linked(budget: Budget, files: Path, name: str, linked: str) -> Path:
    """Return the file, which is unpacked already, that a hard link in a tar points to."""
    there = safe_name(linked, budget.path, budget.limits)
    if there is None or not budget.holds(there):
        raise budget.refusal(
            f"holds {shown(name)}, a link to {shown(linked)}, which is not an earlier file of it"
        )
    return files / there


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(OUTPUT):
            yield part


def _require_compression(budget: Budget, start: bytes, compressed: bool) -> None:
    found = named_compression(start)
    if found is not None and (found != "gzip" or not compressed):
        raise budget.refusal(
            f"is compressed with {found}; name it .tar.gz if that is gzip, and pack it again otherwise"
        )


#: Functions that unpack archives, by suffix; longer suffixes come first.
READERS: dict[str, Callable[[Budget, Path, str, int, ProgressCallback], int]] = {
    ".zip": _unpack_zip,
    ".tar.gz": _unpack_tar,
    ".tgz": _unpack_tar,
    ".tar": _unpack_tar,
}

#: Errors of the standard library for damaged archives (`NotImplementedError`: unusual features of zip;
#: `ValueError` and `struct.error`: impossible positions and numbers).
DAMAGES: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
)

#: Errors of the disk, after which the next run resumes with the unpacked files.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS}
