"""Names of pictures that rows of a data set hold themselves: the path, if there is one, and a digest.

Data sets of Hugging Face often keep base names only (``image.png`` in every row), or no path at all. The
content tells pictures apart, and each row gives the same name wherever it is read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

#: Hexadecimal digits of a digest.
DIGITS = 32
_FORM = re.compile(rf"(.*)#([0-9a-f]{{{DIGITS}}})", re.DOTALL)

#: What is wrong with a path that is that of several pictures.
SEVERAL = (
    "is what several pictures that rows hold are called; put the pictures into the rows that name them, "
    "or write paths that differ"
)


def stored_name(content: bytes, path: str | None) -> str:
    """Return the name of a picture that a row holds.

    Args:
        content: its encoded bytes.
        path: what the row calls it.
    """
    return f"{path or ''}#{hashlib.sha256(content).hexdigest()[:DIGITS]}"


def split_name(name: str) -> tuple[str, str | None]:
    """Return the path and the digest of a name; other names have no digest."""
    found = _FORM.fullmatch(name)
    return (name, None) if found is None else (found[1], found[2])


def by_path(names: Iterable[str]) -> dict[str, str | None]:
    """Return the pictures that their path alone identifies; None where several have the same path."""
    found: dict[str, str | None] = {}
    for name in names:
        path, digest = split_name(name)
        if path and digest is not None:
            found[path] = name if found.get(path, name) == name else None
    return found
