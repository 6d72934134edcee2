"""Reading untrusted tar archives in one pass, with bounded memory.

`tarfile` itself reads names of any length at once, reads headers of headers recursively, and detects
compressions whose decompressors run ahead. Here only its parser of single headers is used.

Format: POSIX.1-1988 (ustar), POSIX.1-2001 (pax: ``path``, ``linkpath``, ``size``), GNU's long names.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from paretoken.data.archive_safety import Budget
from paretoken.io.escape import shown

BLOCK = tarfile.BLOCKSIZE
#: Bytes that are read, and bytes that are decompressed, at a time.
CHUNK, OUTPUT = 1 << 16, 1 << 20

_GZIP = 31  # `zlib`'s window bits for a gzip header and a checksum at the end
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"(\xb5/\xfd", "zstandard"))
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)

Read = Callable[[int], bytes]


class GzipStream:
    """The content of a gzip file, which is decompressed no further than it is read, within a budget.

    Args:
        raw: the file.
        budget: limits the decompressed bytes.
    """

    def __init__(self, raw: IO[bytes], budget: Budget) -> None:
        self._raw, self._budget = raw, budget
        self._inflate, self._streams = zlib.decompressobj(_GZIP), 1
        self._input, self._consumed = b"", 0
        self._output, self._at, self._total = b"", 0, 0

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end.

        Raises:
            UserError: the budget is exceeded.
            EOFError, zlib.error: the file is truncated or damaged.
        """
        parts = []
        while size > 0 and (self._at < len(self._output) or self._fill()):
            parts.append(self._output[self._at : self._at + size])
            self._at += len(parts[-1])
            size -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _fill(self) -> bool:
        """Decompress some more, `OUTPUT` bytes at most; False at the end."""
        while True:
            data = self._input or self._raw.read(CHUNK)
            self._consumed += 0 if self._input else len(data)
            if self._inflate.eof:
                if not data:
                    return False
                data = self._input = data.lstrip(b"\0")  # padding between streams
                if not data:
                    continue
                self._begin()
            self._output, self._at = self._inflate.decompress(data, OUTPUT), 0
            self._input = self._inflate.unused_data or self._inflate.unconsumed_tail
            self._total += len(self._output)
            self._budget.require_streamed(self._total)
            if self._output:
                return True
            if not data and not self._inflate.eof:
                raise EOFError("it ends in the middle")

    def _begin(self) -> None:
        """Begin with the next of several gzip streams in one file, as pigz and bgzip write them."""
        self._streams += 1
        if self._streams > 1000 + self._consumed // 1024:  # each takes time, even an empty one
            raise self._budget.refusal("consists of too many gzip streams")
        self._inflate = zlib.decompressobj(_GZIP)


@dataclass(frozen=True)
class Member:
    """An entry of a tar: its path, bytes, and kind (neither file nor folder: a link or a device).

    ``same_as`` is the path of the earlier entry that a hard link points to; None for others.
    """

    name: str
    size: int
    is_file: bool
    is_folder: bool
    same_as: str | None = None


class TarReader:
    """An iterator over the entries of a tar.

    Args:
        read: returns the given number of bytes of the uncompressed tar, fewer only at its end.
        budget: counts the entries.
    """

    def __init__(self, read: Read, budget: Budget) -> None:
        self._read, self._budget = read, budget
        self._left = self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        """Yield the entries; content that is not read is skipped.

        Raises:
            UserError: there are too many, or one has too large headers.
            tarfile.TarError, EOFError: the archive is damaged.
        """
        while (member := self._next()) is not None:
            self._budget.count_member()
            self._left, self._padding = member.size, -member.size % BLOCK
            yield member
            self._skip(self._left + self._padding)
        while self._read(OUTPUT):  # so that a checksum at the end is verified
            pass

    def content(self) -> Iterator[bytes]:
        """Yield the bytes of the entry that was yielded last."""
        while self._left:
            part = self._exactly(min(self._left, OUTPUT))
            self._left -= len(part)
            yield part

    def _next(self) -> Member | None:
        name: str | None = None
        linked: str | None = None
        size: int | None = None
        spent = 0
        while True:
            block = self._read(BLOCK)
            if not block.strip(b"\0") and len(block) in (0, BLOCK):
                if spent:
                    raise tarfile.ReadError("its last header belongs to no file")
                return None
            info = _parse(block)
            if info.type not in (*_LONG, *_PAX):
                return _member(info, name, linked, size)
            spent += BLOCK + info.size
            if info.size < 0 or spent > self._budget.limits.header_bytes:
                limit = self._budget.limits.header_bytes
                raise self._budget.refusal(f"holds headers of more than {limit:,} bytes for one file")
            body = self._exactly(info.size + -info.size % BLOCK)[: info.size]
            if info.type == tarfile.GNUTYPE_LONGNAME:
                name = _decode(body.rstrip(b"\0"))
            elif info.type == tarfile.GNUTYPE_LONGLINK:
                linked = _decode(body.rstrip(b"\0"))
            elif info.type in _PAX and info.type != tarfile.XGLTYPE:
                records = _pax_records(body)
                name, linked = records.get("path", name), records.get("linkpath", linked)
                size = int(records["size"]) if "size" in records else size
                if any(key.startswith("GNU.sparse.") for key in records):
                    raise self._budget.refusal(f"holds {shown(name or info.name)}, a sparse file")

    def _exactly(self, size: int) -> bytes:
        content = self._read(size)
        if len(content) < size:
            raise EOFError("it ends in the middle")
        return content

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._exactly(min(size, OUTPUT)))


def named_compression(start: bytes) -> str | None:
    """Return the compression of a file by its first bytes; None without a known one."""
    return next((name for magic, name in _MAGIC if start.startswith(magic)), None)


def _parse(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise tarfile.ReadError(f"it has a bad header: {error}") from error


def _member(info: tarfile.TarInfo, name: str | None, linked: str | None, size: int | None) -> Member:
    size = info.size if size is None else size
    is_file = info.type in _REGULAR
    if size < 0:
        raise tarfile.ReadError("it has a file of negative size")
    # `frombuf` treats an old header whose name ends with a slash as a folder.
    same_as = (linked or info.linkname) if info.type == tarfile.LNKTYPE else None
    return Member(name or info.name, size if is_file else 0, is_file, info.isdir(), same_as)


def _pax_records(body: bytes) -> dict[str, str]:
    """Return the records of a pax header, each of which is ``length key=value`` and a newline."""
    records, at = {}, 0
    while at < len(body) and body[at]:
        digits = body[at : at + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = body[at + len(digits) + 1 : at + length]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not equals or at + length > len(body) or not record.endswith(b"\n"):
            raise tarfile.ReadError("it has a bad pax header")
        records[_decode(key)] = _decode(value)
        at += length
    if not records.get("size", "0").isdecimal() or len(records.get("size", "")) > 20:
        raise tarfile.ReadError("it has a bad pax header")
    return records


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
