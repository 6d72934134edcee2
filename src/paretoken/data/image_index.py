"""Looking at every image of a training set once: which are there, their sizes, which are damaged.

Every image is decoded, as training will do it: a damaged body shows in no other way. What was decoded
before and has not changed since is not decoded again. Without decoding, sizes come from headers, and
an image is decoded only where the last bytes of its file look wrong.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from paretoken.data.decoded import Decoded, Whole
from paretoken.data.image_files import locate_images, name_problem
from paretoken.data.images import reading, shown
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.io.callbacks import ProgressCallback, silent

#: How files of each format end.
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b"\x3b"}

#: Images that a process looks at before it reports.
PART = 128


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
    decoded: Decoded | None = None,
    progress: ProgressCallback = silent,
) -> list[Seen]:
    """Return what is known of each image; missing and unreadable ones go to ``skips``.

    Args:
        folder: of the images.
        names: relative to it, each once.
        skips: takes the others; whether there are too many is for the caller to check.
        workers: processes.
        decoded: which images were decoded before; takes those that are now. None: decode none whose
            end looks whole.
        progress: is told how many of how many are done.
    """
    found = locate_images(folder, names)
    for name in names:
        if name not in found:
            skips.add(name, name_problem(name) or "missing")
    items, seen = list(found.items()), []
    files = [[file for _, file in items[start : start + PART]] for start in range(0, len(items), PART)]
    for number, results in enumerate(_mapped(folder, files, workers, decoded)):
        if decoded is not None:
            decoded.add(zip(files[number], results, strict=True))
        for (name, file), result in zip(items[number * PART :], results, strict=False):
            if isinstance(result, str):
                skips.add(name, result)
            else:
                seen.append(Seen(name, file, result.width, result.height, result.bytes))
        progress(min((number + 1) * PART, len(items)), len(items))
    return seen


Result = Whole | str


def _mapped(
    folder: Path, parts: Sequence[Sequence[str]], workers: int, decoded: Decoded | None
) -> Iterator[list[Result]]:
    look = partial(_look_at_all, folder, decoded is not None)
    known = [[decoded.whole.get(file) if decoded else None for file in part] for part in parts]
    if workers <= 1 or len(parts) <= 1:
        yield from map(look, parts, known)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver")) as pool:
        try:
            yield from pool.map(look, parts, known)
        except BrokenProcessPool as error:
            raise UserError(
                f"a process that looks at images of {folder} was killed; if memory was short, give "
                f"fewer --workers than {workers}"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _look_at_all(
    folder: Path, decode: bool, files: Sequence[str], known: Sequence[Whole | None]
) -> list[Result]:
    return [look_at(folder / file, decode, old) for file, old in zip(files, known, strict=True)]


def look_at(path: Path, decode: bool = True, known: Whole | None = None) -> Result:
    """Return what is known of an image file, or what is wrong with it.

    Args:
        path: of the file.
        decode: whether to decode an image whose end looks whole.
        known: what was found earlier; returned if the file's size and time are still the same.
    """
    try:
        status = path.stat()
        if known is not None and (known.bytes, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return known
        with reading(path, path.name) as image:
            width, height = image.size
            with path.open("rb") as stream:
                whole = _ends_well(stream, ENDS.get(image.format or ""))
            if decode or not whole:
                shown(image, path.name)
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"image {path.name} cannot be read: {error.strerror}"
    return Whole(width, height, status.st_size, status.st_mtime_ns)


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
