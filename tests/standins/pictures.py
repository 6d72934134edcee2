"""Small pictures of one colour."""

from __future__ import annotations

import io
from typing import Any

COLOURS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220), "grey": (90, 90, 90)}
#: Wide, tall and square, since real images are.
SIZES = ((48, 32), (30, 44), (40, 40))


def colour(number: int) -> str:
    """Return the name of the colour of a picture."""
    return list(COLOURS)[number % len(COLOURS)]


def picture(number: int, kind: str = "JPEG") -> bytes:
    """Return an encoded picture."""
    from PIL import Image

    stream = io.BytesIO()
    size = SIZES[number % len(SIZES)]
    Image.new("RGB", size, COLOURS[colour(number)]).save(stream, kind)
    return stream.getvalue()


def stored(number: int, name: str | None = None, kind: str = "JPEG") -> dict[str, Any]:
    """Return a picture as data sets store it in Parquet."""
    return {"bytes": picture(number, kind), "path": name}
