"""Which image files were decoded from beginning to end, so that none is decoded twice in vain.

One line per file, added as soon as it is known: what was done before a kill stays known. A line that
is cut off or damaged (its checksum says so) is passed over, and its file decoded again. Files that
could not be decoded are not remembered: the reason may have been the disk.
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

#: Of what `paretoken.data.images` accepts; raise it when that becomes less.
RULES = 1


class Whole(NamedTuple):
    """An image that can be read, and its file's size and time of change."""

    width: int
    height: int
    bytes: int
    mtime_ns: int


class Decoded:
    """What is known of the files of a folder.

    Attributes:
        whole: the images that were decoded, by file.
    """

    def __init__(self, whole: dict[str, Whole], stream: IO[str]) -> None:
        self.whole, self._stream = whole, stream

    def add(self, results: Iterable[tuple[str, Whole | str]]) -> None:
        """Remember the images among ``results`` that could be read."""
        for file, result in results:
            if isinstance(result, Whole) and self.whole.get(file) != result:
                self.whole[file] = result
                self._stream.write(_line([file, *result]))
        self._stream.flush()


@contextmanager
def remembering(path: Path, folder: Path) -> Iterator[Decoded]:
    """Yield what a file remembers of the images in a folder, and let it be added to.

    What another version of the decoder, or of another folder, was remembered is forgotten.

    Raises:
        UserError: the file cannot be written.
    """
    head = _line({"images": str(folder.resolve()), "pillow": PIL.__version__, "rules": RULES})
    try:
        whole = _read(path, head)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if whole is None else "a", encoding="utf-8") as stream:
            # A blank line ends one that a kill cut off.
            stream.write(head if whole is None else "\n")
            yield Decoded(whole or {}, stream)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path, head: str) -> dict[str, Whole] | None:
    """Return what a file remembers; None if there is none that begins with ``head``."""
    if not path.exists():
        return None
    whole: dict[str, Whole] = {}
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


def _entry(line: str) -> tuple[str, Whole] | None:
    """Return what a line says; None if it is not as it was written."""
    try:
        content = json.loads(line.partition(" ")[2])
        if line != _line(content):
            return None
        file, *numbers = content
        return file, Whole(*numbers)
    except (ValueError, TypeError, RecursionError):
        return None
