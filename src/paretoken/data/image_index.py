"""Checking every image of a training set: which are missing or damaged, and the sizes of the others.

Every image is decoded, as in training: damage of its body cannot be detected otherwise. Images that were
decoded before and have not changed are not decoded again. Without decoding, sizes are read from headers,
and an image is decoded only if the last bytes of its file look wrong.
"""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from paretoken.data.decoded import Decoded, ReadableImage
from paretoken.data.image_files import locate_images, name_problem
from paretoken.data.images import decode_rgb, reading, stored_images
from paretoken.data.skips import Skips
from paretoken.data.stored_names import split_name
from paretoken.errors import UserError
from paretoken.io.callbacks import ProgressCallback, silent

#: Last bytes of files of each format.
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b"\x3b"}

#: Images that a process checks before it reports.
PART = 128


@dataclass(frozen=True)
class Seen:
    """An image that can be read; ``file`` is its path in the folder, mostly the same as its name."""

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
    """Return the images that can be read; missing and unreadable ones go to ``skips``.

    Args:
        folder: folder of the images.
        names: their names relative to it, each once.
        skips: collects the others; the caller checks whether there are too many.
        workers: number of processes.
        decoded: the cache of images that were decoded before, to which new ones are added. None: decode
            only images whose end looks wrong.
        progress: called with the number of images that are done and the number of all.
    """
    found = locate_images(folder, names)
    for name in names:
        if name not in found:
            skips.add(name, _missing(name))
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


def index_row_images(
    rows: Iterable[Mapping[str, Any]],
    names: Sequence[str],
    skips: Skips,
    decode: bool = True,
    progress: ProgressCallback = silent,
) -> list[Seen]:
    """Return the images that rows hold and that can be read; others go to ``skips``.

    Args:
        rows: the rows of a data set.
        names: the names of their images, each once.
        skips: collects the others; the caller checks whether there are too many.
        decode: whether to decode each image; otherwise only its header is read.
        progress: called with the number of images that are done and the number of all.
    """
    results: dict[str, Seen | str] = {}
    for row in rows:
        for name, content in stored_images([row]).items():
            if name not in results:
                results[name] = _inspect_content(name, content, decode)
                progress(len(results), len(names))
    for name in names:
        result = results.get(name, "is a path, and no folder of images is given")
        if isinstance(result, str):
            skips.add(name, result)
    return [result for result in results.values() if isinstance(result, Seen)]


def _inspect_content(name: str, content: bytes, decode: bool) -> Seen | str:
    try:
        with reading(io.BytesIO(content), name) as image:
            width, height = image.size
            if decode:
                decode_rgb(image, name)
    except UserError as error:
        return str(error)
    return Seen(name, name, width, height, len(content))


def _missing(name: str) -> str:
    if split_name(name)[1] is not None:
        return "is in its row, not in the folder of images; give no folder if all rows hold theirs"
    return name_problem(name) or "missing"


Result = ReadableImage | str


def _mapped(
    folder: Path, parts: Sequence[Sequence[str]], workers: int, decoded: Decoded | None
) -> Iterator[list[Result]]:
    inspect = partial(_inspect_all, folder, decoded is not None)
    known = [[decoded.whole.get(file) if decoded else None for file in part] for part in parts]
    if workers <= 1 or len(parts) <= 1:
        yield from map(inspect, parts, known)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver")) as pool:
        try:
            yield from pool.map(inspect, parts, known)
        except BrokenProcessPool as error:
            raise UserError(
                f"a process that checks images of {folder} was killed; if memory was short, give "
                f"fewer --workers than {workers}"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _inspect_all(
    folder: Path, decode: bool, files: Sequence[str], known: Sequence[ReadableImage | None]
) -> list[Result]:
    return [inspect_image(folder / file, decode, old) for file, old in zip(files, known, strict=True)]


def inspect_image(path: Path, decode: bool = True, known: ReadableImage | None = None) -> Result:
    """Return the size of an image and of its file, or what is wrong with it.

    Args:
        path: the image file.
        decode: whether to decode an image even if its end looks whole.
        known: an earlier result; returned if the file's size and time are still the same.
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
                decode_rgb(image, path.name)
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"image {path.name} cannot be read: {error.strerror}"
    return ReadableImage(width, height, status.st_size, status.st_mtime_ns)


def _ends_well(stream: IO[bytes], end: bytes | None) -> bool:
    if end is None:
        return False
    stream.seek(0, os.SEEK_END)
    stream.seek(max(0, stream.tell() - 64))
    return stream.read().rstrip(b"\0\r\n").endswith(end)


def renamed(seen: Sequence[Seen]) -> Mapping[str, int]:
    """Return, per folder, how many images have another suffix than in the data set."""
    counts: dict[str, int] = {}
    for image in seen:
        if image.file != image.name:
            folder = image.name.rpartition("/")[0]
            counts[folder] = counts.get(folder, 0) + 1
    return counts
