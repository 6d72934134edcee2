"""Locating the images that a data set names in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from paretoken.data.image_formats import is_encoded_text
from paretoken.data.stored_names import split_name

#: Suffixes that an image may have instead of the one in the data set: OCR-VQA's files came as .gif and
#: .png, too, and LLaVA's list calls all of them .jpg. The format is read from the content, not the name.
#: Upper case comes last.
SUFFIXES = (".jpg", ".gif", ".png", ".jpeg", ".webp")

#: Form of a valid name, for messages.
FORM = "write it relative to the image folder, with forward slashes, such as folder/0.png"
#: Starts of paths that are not relative: the root, a home, a drive, an address.
ABSOLUTE = re.compile(r"/|~(?=/|$)|[A-Za-z]:(?=[/\\])|\\\\|[A-Za-z][A-Za-z0-9+.-]+://|data:")


def name_problem(name: str) -> str | None:
    """Return why a name cannot be that of an image in a folder; None if it can.

    Invalid names would be missing, or lead out of the folder (a data set could name
    ``../../secret.png``).
    """
    parts = name.split("/")
    if is_encoded_text(name):
        return f"is a picture itself, not a name; save it as a file, and {FORM}"
    if not name.strip():
        found = "is empty"
    elif ABSOLUTE.match(name):
        found = "is an absolute path or an address"
    elif "\\" in name:
        found = "has backslashes"
    elif "\0" in name:
        found = "has a zero character"
    elif ".." in parts:
        found = "leads out of its folder ('..')"
    elif parts[-1] in ("", "."):
        found = "is a folder's name"
    else:
        return None
    return f"{found}; {FORM}"


def locate_images(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the files of images by name: the same name, or one with another suffix.

    Each folder is listed once, which is many times faster than checking each file. The name of a picture
    that a row holds is looked up by its path; whether the content is the same is not checked.
    """
    listings: dict[str, frozenset[str]] = {}
    found = {}
    for name in names:
        path = split_name(name)[0]
        if name_problem(path):
            continue
        parent, slash, file = path.rpartition("/")
        if parent not in listings:
            listings[parent] = _listing(folder / parent)
        other = next((each for each in _called(file) if each in listings[parent]), None)
        if other is not None:
            found[name] = f"{parent}{slash}{other}"
    return found


def _called(file: str) -> Iterator[str]:
    """Yield the possible names of an image's file."""
    yield file
    stem = file.rpartition(".")[0]
    if stem:
        yield from (stem + suffix for suffix in SUFFIXES)
        yield from (stem + suffix.upper() for suffix in SUFFIXES)


def _listing(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except OSError:
        return frozenset()


def find_image(folder: Path, name: str) -> Path | None:
    """Return the path of one image, found as by `locate_images`; None if it is missing."""
    path = split_name(name)[0]
    if name_problem(path):
        return None
    parent, _, file = path.rpartition("/")
    candidates = (folder / parent / each for each in _called(file))
    return next((candidate for candidate in candidates if _is_file(candidate)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is longer than file systems allow
        return False
