"""Names of pictures that are stored in rows of a data set: the path, if there is one, and a digest.

Data sets of Hugging Face often keep base names only (``image.png`` in every row), or no path at all. The
digest of the content distinguishes pictures, and the same row always gives the same name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

#: Hexadecimal digits of a digest.
DIGITS = 32
_FORM = re.compile(rf"(.*)#([0-9a-f]{{{DIGITS}}})", re.DOTALL)

#: The problem of a path that several pictures share, as a phrase that follows the path.
SEVERAL = (
    "is the path of several pictures in rows; put the pictures into the rows that name them, or write "
    "different paths"
)


def stored_name(content: bytes, path: str | None) -> str:
    """Return the name of a picture that a row holds.

    Args:
        content: its encoded bytes.
        path: its path in the row, if there is one.
    """
    return f"{path or ''}#{hashlib.sha256(content).hexdigest()[:DIGITS]}"


def split_name(name: str) -> tuple[str, str | None]:
    """Return the path and the digest of a name; other names have no digest."""
    found = _FORM.fullmatch(name)
    return (name, None) if found is None else (found[1], found[2])


def by_path(names: Iterable[str]) -> dict[str, str | None]:
    """Return the names of stored pictures by their paths; None if several pictures share a path."""
    found: dict[str, str | None] = {}
    for name in names:
        path, digest = split_name(name)
        if path and digest is not None:
            found[path] = name if found.get(path, name) == name else None
    return found
