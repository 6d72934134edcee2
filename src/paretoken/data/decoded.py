"""A cache of the image files that were decoded completely, so that none is decoded again in vain.

The cache has one line per file, which is appended at once, so that it survives a kill. A truncated or
damaged line (by its checksum) is skipped, and its file decoded again. Files that could not be decoded
are not cached: the reason may have been the disk.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import PIL

from paretoken.errors import UserError

#: Version of the rules of `paretoken.data.images`; increase it when fewer images are accepted.
RULES = 1


class ReadableImage(NamedTuple):
    """The size of an image that can be read, and its file's size and modification time."""

    width: int
    height: int
    bytes: int
    mtime_ns: int


class Decoded:
    """The cached images of a folder.

    Attributes:
        whole: the images that were decoded, by file.
    """

    def __init__(self, whole: dict[str, ReadableImage], stream: IO[str]) -> None:
        self.whole, self._stream = whole, stream

    def add(self, results: Iterable[tuple[str, ReadableImage | str]]) -> None:
        """Append the images among ``results`` that could be read."""
        for file, result in results:
            if isinstance(result, ReadableImage) and self.whole.get(file) != result:
                self.whole[file] = result
                self._stream.write(_line([file, *result]))
        self._stream.flush()


@contextmanager
def remembering(path: Path, folder: Path) -> Iterator[Decoded]:
    """Yield the cached images of a folder, to which more can be added.

    A cache of another version of the decoder, or of another folder, is discarded.

    Raises:
        UserError: the file cannot be written.
    """
    head = _line({"images": str(folder.resolve()), "pillow": PIL.__version__, "rules": RULES})
    try:
        whole = _read(path, head)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if whole is None else "a", encoding="utf-8") as stream:
            # A line break ends a line that a kill may have truncated.
            stream.write(head if whole is None else "\n")
            yield Decoded(whole or {}, stream)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path, head: str) -> dict[str, ReadableImage] | None:
    """Return the content of a cache; None if the file does not exist or begin with ``head``."""
    if not path.exists():
        return None
    whole: dict[str, ReadableImage] = {}
    with path.open(encoding="utf-8", errors="replace") as stream:
        if stream.readline() != head:
            return None
        for line in stream:
            if entry := _entry(line):
                whole[entry[0]] = entry[1]
    return whole


def _line(content: Any) -> str:
    text = json.dumps(content)
    return f"{zlib.crc32(text.encode()):08x} {text}\n"


def _entry(line: str) -> tuple[str, ReadableImage] | None:
    """Return the entry in a line; None if the line is damaged."""
    try:
        content = json.loads(line.partition(" ")[2])
        if line != _line(content):
            return None
        file, *numbers = content
        return file, ReadableImage(*numbers)
    except (ValueError, TypeError, RecursionError):
        return None
