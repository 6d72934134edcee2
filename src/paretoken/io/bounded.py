"""Limits on reading untrusted files: regular files only, up to a maximum size.

Reading a pipe could block forever, and a file of kilobytes can grow to gigabytes in memory. Each reader
of tables, JSON and YAML therefore checks the file here first.
"""

from __future__ import annotations

import os
import resource
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paretoken.errors import UserError

MIB = 1 << 20

#: Most bytes of a JSON file (the scores of all questions of VQAv2 take 283 MB), of a YAML file, of a CSV
#: table, and of one line of JSON lines.
LARGEST_JSON, LARGEST_YAML, LARGEST_CSV, LARGEST_LINE = 1024 * MIB, MIB, 64 * MIB, 64 * MIB

#: Most columns of a table, which are also the keys of a row; bytes of its header; and cells (rows times
#: columns).
MOST_COLUMNS, LARGEST_HEADER, MOST_CELLS = 1000, MIB, 10_000_000

#: Cells that even a small table may have: rows that lack most of their fields take up memory, too.
CELLS_OF_ANY_TABLE = 1_000_000

#: First bytes of compressed files, among them spreadsheets, which are zip archives.
COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip, or a spreadsheet",
}

#: Only one thread at a time changes the process's limit: several could restore it in the wrong order.
_LIMITING = threading.RLock()


def require_regular(path: Path, largest: int | None = None) -> None:
    """Raise `UserError` unless ``path`` is a regular file of at most ``largest`` bytes.

    Raises:
        UserError: it is missing, a folder, a pipe or a device, or larger.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path} cannot be read: {reason}") from error
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path} cannot be read: Is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(
            f"{path} is not a regular file but a pipe or a device; save its content to a file first"
        )
    if largest is not None and status.st_size > largest:
        raise UserError(f"{path} has {status.st_size:,} bytes; at most {largest:,} are read")


def read_bounded(path: Path, largest: int) -> bytes:
    """Return the content of a regular file of at most ``largest`` bytes (`UserError` otherwise)."""
    require_regular(path, largest)
    try:
        with path.open("rb") as stream:  # `read` allocates as many bytes as it is asked for
            content = stream.read(min(largest, os.fstat(stream.fileno()).st_size) + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > largest:  # the file grew meanwhile
        raise UserError(f"{path} has more than {largest:,} bytes; no more are read")
    return content


def require_columns(path: Path | str, count: int) -> None:
    """Raise `UserError` if a table has more columns than `MOST_COLUMNS`."""
    if count > MOST_COLUMNS:
        raise UserError(f"{os.fspath(path)} has {count:,} columns; at most {MOST_COLUMNS:,} are read")


def require_cells(path: Path | str, rows: int, columns: int, size: int) -> None:
    """Raise `UserError` if a table's rows times its columns are too many to be held in memory.

    A table whose rows have all their fields has fewer cells than bytes.

    Args:
        path: the table.
        rows: an upper bound of its number of rows.
        columns: number of columns in its header.
        size: its size in bytes.
    """
    most = min(MOST_CELLS, max(CELLS_OF_ANY_TABLE, size))
    if rows * columns > most:
        raise UserError(
            f"{os.fspath(path)} has {rows:,} rows of {columns:,} columns; at most {most:,} cells (rows "
            "times columns) are read of a table of this size: leave out columns, or write all fields"
        )


def require_plain(path: Path | str, content: bytes) -> None:
    """Raise `UserError` if a table is compressed: a small file could become a very large one."""
    for start, name in COMPRESSED.items():
        if content.startswith(start):
            raise UserError(
                f"{os.fspath(path)} is compressed ({name}); a table is plain text: unpack it first, or "
                "save it as CSV"
            )


@contextmanager
def limited_memory(budget: int) -> Iterator[None]:
    """Make allocations raise `MemoryError` once the process has grown by ``budget`` bytes.

    Use it for decoders whose input can understate its unpacked size. The limit applies to the address
    space of the whole process, including other threads and the processes that they start meanwhile: wrap
    the decoding alone. Calls may be nested, and an existing lower limit stays in force. Without
    ``/proc`` (systems other than Linux) it does nothing.

    Args:
        budget: bytes, at least a few hundred MiB where libraries reserve address space in advance.
    """
    used = _address_space()
    if used is None:
        yield
        return
    with _LIMITING:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + max(0, budget)
        lowest = min(limit for limit in (soft, hard, wanted) if limit != resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_AS, (lowest, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> int | None:
    """Return the bytes of this process's address space; None where the system does not report them."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[0]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
