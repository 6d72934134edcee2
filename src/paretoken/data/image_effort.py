"""Limits on how often decoding an image processes its pixels.

A JPEG may have any number of scans, each of which changes all pixels again, and a TIFF may use the same
part of its file for any number of strips. Kilobytes could thus keep a decoder busy for minutes.
"""

from __future__ import annotations

import re
from typing import IO

from PIL import Image

#: Most scans of a JPEG; progressive ones have about ten (libtiff stops at the same number).
MOST_SCANS = 100
#: Most bytes of a JPEG that is parsed because it seems to have more scans.
CLOSELY = 64 * 2**20

#: How many times the pixels of an image its parts may have: once for each colour, and some to spare.
MOST_LAYERS = 10
#: Pixels that each part counts at least (TIFF's smallest tile), and that parts may have in any case.
SMALLEST_PART, ALWAYS = 256, 100_000

_SCAN, _END = 0xDA, 0xD9
_SCAN_BYTES = re.compile(rb"\xff\xda")
_MARKER = re.compile(rb"\xff([^\x00\xff])")
#: Markers without a length: restarts, the start of an image, and one of arithmetic coding.
_ALONE = frozenset({*range(0xD0, 0xD9), 0x01})


class EffortError(ValueError):
    """Decoding an image would take far longer than its size explains."""


def require_few_parts(image: Image.Image) -> None:
    """Require, by its header, that the parts of an image do not cover it many times over.

    Raises:
        EffortError: they do.
    """
    sizes = ((x1 - x0) * (y1 - y0) for _, (x0, y0, x1, y1), *_ in getattr(image, "tile", ()))
    if (
        sum(max(size, SMALLEST_PART) for size in sizes)
        > MOST_LAYERS * image.width * image.height + ALWAYS
    ):
        raise EffortError(f"its parts have more than {MOST_LAYERS} times its pixels")


def require_few_scans(image: Image.Image) -> None:
    """Require that a JPEG has at most `MOST_SCANS` scans, before it is decoded.

    Args:
        image: an image of which only the header was read; other formats and decoded images pass.

    Raises:
        EffortError: it has more.
    """
    stream = getattr(image, "fp", None)
    if image.format not in {"JPEG", "MPO"} or stream is None:
        return
    place = stream.tell()
    try:
        if _possible_scans(stream) > MOST_SCANS:  # in the image, or in a film that is stored after it
            stream.seek(0)
            content = stream.read(CLOSELY + 1)
            if len(content) > CLOSELY or _scans(content) > MOST_SCANS:
                raise EffortError(f"it is a JPEG of more than {MOST_SCANS} scans")
    finally:
        stream.seek(place)


def _possible_scans(stream: IO[bytes]) -> int:
    """Return how often the bytes that may begin a scan are in a file."""
    stream.seek(0)
    count, last = 0, b""
    while (part := stream.read(1 << 20)) and count <= MOST_SCANS:
        count += len(_SCAN_BYTES.findall(part)) + (last + part[:1] == b"\xff\xda")
        last = part[-1:]
    return count


def _scans(content: bytes) -> int:
    """Return the number of scans of the first image in a JPEG file, parsed as a decoder does."""
    count, place = 0, 2
    while count <= MOST_SCANS and (found := _MARKER.search(content, place)):
        marker, place = found[1][0], found.end()
        if marker == _END:
            break
        if marker not in _ALONE:
            count += marker == _SCAN
            place += max(2, int.from_bytes(content[place : place + 2], "big"))
    return count
