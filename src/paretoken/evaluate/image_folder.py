"""Storing the pictures of a data set as files that are named by the hash of their content."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.data.image_formats import suffix_of
from paretoken.data.images import open_image
from paretoken.errors import UserError
from paretoken.io.escape import shown


class ImageFolder:
    """A folder that pictures are written into, each only once.

    Args:
        folder: path of the folder; it must exist.
        root: the data set's directory, for pictures that are given by path only.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.names: set[str] = set()

    def add(self, value: Any) -> str:
        """Store a picture, given as ``{bytes, path}`` or as bytes, and return its file name.

        The picture is decoded first, in the same way as for an answer.

        Raises:
            BadRowError: the value holds no picture, or a damaged one.
        """
        content = self._content(value)
        name = hashlib.sha256(content).hexdigest()[:32] + _suffix(content)
        if name not in self.names:
            try:
                open_image(io.BytesIO(content), "of the row")
            except UserError as error:
                raise BadRowError(f"its {error}") from error
            (self.folder / name).write_bytes(content)
            self.names.add(name)
        return name

    def _content(self, value: Any) -> bytes:
        if isinstance(value, Mapping):
            path, value = value.get("path"), value.get("bytes")
            if value is None and isinstance(path, str):
                return self._read(path)
        if not isinstance(value, bytes):
            raise BadRowError("its image is empty")
        return value

    def _read(self, path: str) -> bytes:
        file = (self.root / path).resolve()
        if not file.is_relative_to(self.root.resolve()) or not file.is_file():
            raise BadRowError(f"its image {shown(path)} is not a file in the data set's directory")
        return file.read_bytes()


def _suffix(content: bytes) -> str:
    suffix = suffix_of(content)
    if suffix is None:
        raise BadRowError("its image has an unsupported format; use JPEG, PNG, GIF, WebP, BMP or TIFF")
    return suffix
