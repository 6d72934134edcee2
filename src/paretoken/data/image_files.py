"""Where the images that a data set names lie in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

#: Where an image may be when it is not called as a data set says: OCR-VQA's files came as .gif and
#: .png, too, and LLaVA's list calls all of them .jpg. The content, not the name, says what it is.
SUFFIXES = (".jpg", ".gif", ".png", ".jpeg", ".webp")


def is_inside(name: str) -> bool:
    """Whether a relative name stays in its folder (a data set could name ``../../secret.png``)."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def locate_images(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return where images are: their names, or names of the same file with another suffix.

    Each folder is listed once, which is many times faster than asking for each file.
    """
    listings: dict[str, frozenset[str]] = {}
    found = {}
    for name in names:
        parent, _, file = name.rpartition("/")
        if parent not in listings:
            listings[parent] = _listing(folder / parent) if is_inside(name) else frozenset()
        listing = listings[parent]
        if file in listing:
            found[name] = name
        else:
            stem = file.rpartition(".")[0]
            other = next((stem + s for s in SUFFIXES if stem and stem + s in listing), None)
            if other is not None:
                found[name] = f"{parent}/{other}" if parent else other
    return found


def _listing(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except OSError:
        return frozenset()


def find_image(folder: Path, name: str) -> Path | None:
    """Return the path of one image, None if it is missing."""
    if not is_inside(name):
        return None
    path = folder / name
    candidates = (path, *(path.with_suffix(suffix) for suffix in SUFFIXES)) if path.name else ()
    return next((candidate for candidate in candidates if candidate.is_file()), None)
