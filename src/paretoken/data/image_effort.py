"""How often decoding an image would go over its pixels: once or a few times, whatever its file says.

A JPEG may be made of any number of scans, each of which changes all pixels again, and a TIFF may name
the same part of its file for any number of strips. So kilobytes keep a decoder busy for minutes.
"""

from __future__ import annotations

import re
from typing import IO

from PIL import Image

#: Scans of a JPEG; progressive ones have about ten (libtiff stops at the same number).
MOST_SCANS = 100
#: Bytes of a JPEG that are looked at closely where more scans seem to be in it.
CLOSELY = 64 * 2**20

#: How many times its own pixels the parts of an image may have: one for each colour, and to spare.
MOST_LAYERS = 10
#: Pixels that a part counts for at least (TIFF's smallest tile), and that all parts may have anyway.
SMALLEST_PART, ALWAYS = 256, 100_000

_SCAN, _END = 0xDA, 0xD9
_SCAN_BYTES = re.compile(rb"\xff\xda")
_MARKER = re.compile(rb"\xff([^\x00\xff])")
#: Markers without a length: restarts, the start of an image, and one of arithmetic coding.
_ALONE = frozenset({*range(0xD0, 0xD9), 0x01})


class EffortError(ValueError):
    """Decoding an image would take far longer than its number of pixels explains."""


def require_few_parts(image: Image.Image) -> None:
    """Check, by its header, that the parts of an image do not cover it many times over.

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
    """Check that a JPEG has at most `MOST_SCANS` scans, before it is decoded; others are let pass.

    Args:
        image: an image of which only the header was read; one that is decoded already is let pass.

    Raises:
        EffortError: it has more.
    """
    stream = getattr(image, "fp", None)
    if image.format not in {"JPEG", "MPO"} or stream is None:
        return
    place = stream.tell()
    try:
        if _possible_scans(stream) > MOST_SCANS:  # in it, or in a film that is stored behind it
            stream.seek(0)
            content = stream.read(CLOSELY + 1)
            if len(content) > CLOSELY or _scans(content) > MOST_SCANS:
                raise EffortError(f"it is a JPEG of more than {MOST_SCANS} scans")
    finally:
        stream.seek(place)


def _possible_scans(stream: IO[bytes]) -> int:
    """Return how often the bytes that begin a scan are in a file, those that mean something else too."""
    stream.seek(0)
    count, last = 0, b""
    while (part := stream.read(1 << 20)) and count <= MOST_SCANS:
        count += len(_SCAN_BYTES.findall(part)) + (last + part[:1] == b"\xff\xda")
        last = part[-1:]
    return count


def _scans(content: bytes) -> int:
    """Return how many scans the first image in a JPEG file has, found as a decoder finds them."""
    count, place = 0, 2
    while count <= MOST_SCANS and (found := _MARKER.search(content, place)):
        marker, place = found[1][0], found.end()
        if marker == _END:
            break
        if marker not in _ALONE:
            count += marker == _SCAN
            place += max(2, int.from_bytes(content[place : place + 2], "big"))
    return count
