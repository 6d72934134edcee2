"""Looking at every image of a training set once: which are there, their sizes, which are damaged.

Sizes come from headers. Whether a file is whole is told by its last bytes; only where these look
wrong, or if asked, is an image decoded: 600,000 of them would take hours.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from paretoken.data.image_files import locate_images
from paretoken.data.images import reading
from paretoken.data.skips import Skips
from paretoken.errors import UserError

#: How files of each format end.
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b"\x3b"}

#: Images that a process looks at before it reports.
PART = 512


@dataclass(frozen=True)
class Seen:
    """An image that can be read. ``file`` is where it lies, mostly its name."""

    name: str
    file: str
    width: int
    height: int
    bytes: int


def index_images(
    folder: Path,
    names: Sequence[str],
    skips: Skips,
    workers: int = 1,
    decode: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Seen]:
    """Return what is known of each image; missing and unreadable ones go to ``skips``.

    Args:
        folder: of the images.
        names: relative to it, each once.
        skips: takes the others; whether there are too many is for the caller to check.
        workers: processes.
        decode: read every image to its end.
        progress: is told how many of how many are done.
    """
    found = locate_images(folder, names)
    for name in names:
        if name not in found:
            skips.add(name, "missing")
    items, seen = list(found.items()), []
    parts = [items[start : start + PART] for start in range(0, len(items), PART)]
    for number, results in enumerate(_mapped(folder, parts, workers, decode)):
        for (name, file), result in zip(parts[number], results, strict=True):
            if isinstance(result, str):
                skips.add(name, result)
            else:
                seen.append(Seen(name, file, *result))
        progress(min((number + 1) * PART, len(items)), len(items))
    return seen


Result = tuple[int, int, int] | str


def _mapped(
    folder: Path, parts: Sequence[Sequence[tuple[str, str]]], workers: int, decode: bool
) -> Iterator[list[Result]]:
    look = partial(_look_at_all, str(folder), decode)
    if workers <= 1 or len(parts) <= 1:
        yield from map(look, parts)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver")) as pool:
        try:
            yield from pool.map(look, parts)
        finally:
            pool.shutdown(cancel_futures=True)


def _look_at_all(folder: str, decode: bool, part: Sequence[tuple[str, str]]) -> list[Result]:
    return [look_at(Path(folder) / file, decode) for _, file in part]


def look_at(path: Path, decode: bool = False) -> Result:
    """Return width, height and bytes of an image file, or what is wrong with it."""
    try:
        with reading(path, path.name) as image:
            size = image.size
            with path.open("rb") as stream:
                whole = _ends_well(stream, ENDS.get(image.format or ""))
            if decode or not whole:
                image.load()
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"image {path.name} cannot be read: {error.strerror}"
    return (*size, path.stat().st_size)


def _ends_well(stream: IO[bytes], end: bytes | None) -> bool:
    if end is None:
        return False
    stream.seek(0, os.SEEK_END)
    stream.seek(max(0, stream.tell() - 64))
    return stream.read().rstrip(b"\0\r\n").endswith(end)


def renamed(seen: Sequence[Seen]) -> Mapping[str, int]:
    """Return, per folder, how many images lie under another suffix than the data set says."""
    counts: dict[str, int] = {}
    for image in seen:
        if image.file != image.name:
            folder = image.name.rpartition("/")[0]
            counts[folder] = counts.get(folder, 0) + 1
    return counts
