"""Marks of pictures, by which changes since their features were computed are detected.

A mark has the size and modification time of the picture's file, as `paretoken data` checks them, and a
hash of its content for when the time differs, as in a copy of a project. Marks are stored in a separate
file: the index of features, on which training depends, does not change when the same pictures are
encoded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from paretoken.data.image_files import find_image
from paretoken.data.images import ImageSource
from paretoken.data.rows import iter_rows
from paretoken.errors import UserError
from paretoken.io.files import sha256

#: The file, beside the index of the features.
PICTURES = "pictures.parquet"


class Mark(NamedTuple):
    """Size and modification time of a picture's file, and the SHA-256 of its content.

    All are empty for a picture that was missing. For one that a row holds, whose name has a digest of
    the content, only the size is set.
    """

    bytes: int = 0
    mtime_ns: int = 0
    sha256: str = ""


def mark(source: ImageSource, name: str) -> Mark:
    """Return the present mark of a picture."""
    if name in source.stored:
        return Mark(len(source.stored[name]))
    path = None if source.folder is None else find_image(source.folder, name)
    return Mark() if path is None else _of_file(path)


def write_marks(folder: Path, marks: Mapping[str, Mark]) -> None:
    """Write the marks of pictures by name into a folder of features."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    columns = {
        "image": list(marks),
        **{f: [getattr(m, f) for m in marks.values()] for f in Mark._fields},
    }
    write_table(pa.table(columns), folder / PICTURES)


def unchanged(folder: Path, names: Sequence[str], source: ImageSource) -> bool:
    """Whether pictures still have the marks that a folder of features holds.

    False for an older folder without marks, and for damaged marks.
    """
    marks = _read(folder / PICTURES)
    files = source.files([name for name in names if name not in source.stored])
    for name in names:
        known = marks.get(name)
        if known is None or not _same(known, files.get(name), source.stored.get(name)):
            return False
    return True


def contents(marks: Mapping[str, Mark]) -> str:
    """Return a hash of the names and contents of pictures, whatever their folder."""
    digest = hashlib.sha256()
    for name, found in marks.items():
        digest.update(f"{name}\0{found.sha256}\n".encode())
    return digest.hexdigest()


def _same(known: Mark, path: Path | None, content: bytes | None) -> bool:
    if content is not None:
        return known == Mark(len(content))
    if path is None:
        return known == Mark()
    try:
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) == known[:2]:
            return True
        return status.st_size == known.bytes and sha256(path) == known.sha256
    except (OSError, UserError):
        return known == Mark()


def _of_file(path: Path) -> Mark:
    try:
        status = path.stat()
        return Mark(status.st_size, status.st_mtime_ns, sha256(path))
    except (OSError, UserError):  # whoever opens it reports the error
        return Mark()


def _read(path: Path) -> dict[str, Mark]:
    try:
        return {row["image"]: Mark(*(row[field] for field in Mark._fields)) for row in iter_rows(path)}
    except (UserError, KeyError, TypeError):
        return {}
