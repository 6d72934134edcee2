"""Reading untrusted zip archives, whose tables of contents are validated first."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from paretoken.data.archive_safety import Budget, safe_name
from paretoken.io.escape import shown

#: Supported compressions: both have an upper bound on their ratio, and images are not smaller in others.
COMPRESSIONS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}

_LOCAL_HEADER = 30  # bytes before the name
_ENTRY = b"PK\1\2"  # begins each entry of the central directory
_END, _END_SIZE, _COMMENT = b"PK\5\6", 22, 1 << 16
_LOCATOR, _LOCATOR_SIZE = b"PK\6\7", 20
_END64, _END64_SIZE = b"PK\6\6", 56
_OUTPUT = 1 << 20


def require_bounded_directory(path: Path, budget: Budget) -> None:
    """Require that the table of contents of an archive is small enough to be read into memory.

    `zipfile` reads the whole table and makes an object of each of its entries.

    Raises:
        UserError: it has too many entries.
        zipfile.BadZipFile: there is no such table.
    """
    with path.open("rb") as stream:
        start, size = _directory(stream)
        stream.seek(start)
        entries, before = 0, b""
        while size > 0 and (part := stream.read(min(size, _OUTPUT))):
            entries += (before + part).count(_ENTRY)
            before, size = part[-len(_ENTRY) + 1 :], size - len(part)
            if entries > budget.limits.members:
                raise budget.refusal(f"holds more than {budget.limits.members:,} entries")


def _directory(stream: IO[bytes]) -> tuple[int, int]:
    """Return the smallest possible offset of the table of contents, and its size in bytes."""
    length = stream.seek(0, os.SEEK_END)
    tail_start = max(0, length - _END_SIZE - _COMMENT - _LOCATOR_SIZE)
    stream.seek(tail_start)
    tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise zipfile.BadZipFile("it has no table of contents")
    size, end = struct.unpack_from("<L", tail, at + 12)[0], tail_start + at
    locator = tail[max(0, at - _LOCATOR_SIZE) : at]
    if locator.startswith(_LOCATOR):
        end -= _LOCATOR_SIZE + _END64_SIZE
        stream.seek(max(0, end))
        record = stream.read(_END64_SIZE)
        if record.startswith(_END64) and len(record) == _END64_SIZE:
            size = struct.unpack_from("<Q", record, 40)[0]
    if size > end:
        raise zipfile.BadZipFile("its table of contents is larger than the file")
    return end - size, size


def checked_members(archive: zipfile.ZipFile, budget: Budget) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Yield the files of a zip archive with their safe paths.

    Raises:
        UserError: one is unsafe, encrypted, has an unsupported compression, or shares its bytes with
            another.
    """
    path, entries = budget.path, archive.infolist()
    _require_apart(entries, archive.start_dir, budget)
    for info in entries:
        budget.count_member()
        # Not `filename`, which ends at a zero byte.
        name = safe_name(info.orig_filename, path, budget.limits)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise budget.refusal(f"holds {shown(info.orig_filename)}, a link or a device")
        if name is None or info.is_dir():
            budget.leave_out()
            continue
        if info.flag_bits & 1:
            raise budget.refusal("is encrypted")
        if info.compress_type not in COMPRESSIONS:
            number, known = info.compress_type, " and ".join(COMPRESSIONS.values())
            raise budget.refusal(f"holds {shown(name)} in compression {number}, not {known}")
        _require_ratio(name, info, budget)
        yield name, info


def _require_apart(entries: list[zipfile.ZipInfo], end: int, budget: Budget) -> None:
    """Raise `UserError` for members that share bytes, by which megabytes could unpack to petabytes.

    Source: D. Fifield, "A better zip bomb" (WOOT 2019).
    """
    ordered = sorted(entries, key=lambda info: info.header_offset)
    following = [info.header_offset for info in ordered[1:]] + [end]
    for info, limit in zip(ordered, following, strict=True):
        stop = info.header_offset + _LOCAL_HEADER + info.compress_size
        if info.header_offset < 0 or stop > limit:
            raise budget.refusal(f"holds {shown(info.filename)}, which overlaps another member")


def _require_ratio(name: str, info: zipfile.ZipInfo, budget: Budget) -> None:
    stored = info.compress_type == zipfile.ZIP_STORED
    allowed = budget.limits.ratio * info.compress_size + budget.limits.slack_bytes
    if info.file_size > allowed or (stored and info.file_size != info.compress_size):
        raise budget.refusal(
            f"declares that {info.compress_size:,} bytes unpack to the {info.file_size:,} of "
            f"{shown(name)}; at most {budget.limits.ratio:g} times its size is allowed"
        )


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the bytes of a member.

    Raises:
        zipfile.BadZipFile: their number differs from the table of contents, or they are damaged.
    """
    with archive.open(info) as source:  # checks the CRC at the end, and stops at `file_size`
        left = info.file_size
        while part := source.read(_OUTPUT):
            left -= len(part)
            yield part
    if left:
        raise zipfile.BadZipFile(f"{shown(info.filename)} has {left:,} bytes fewer than declared")
