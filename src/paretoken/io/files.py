"""Writing files whole or not at all, and reading them with clear errors."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.io.bounded import LARGEST_JSON, read_bounded, require_regular
from paretoken.io.json_values import require_few_values
from paretoken.io.ownership import require_ownership
from paretoken.io.partial import partial_folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path on the same file system that becomes ``path`` if the block succeeds.

    The content is flushed to disk before the rename, so a crash leaves the old file or the new
    one, never a part. If ``path`` is a link, its target is replaced. The temporary file keeps the
    suffix, by which some writers choose the format.

    Raises:
        UserError: the folder cannot be written, the disk is full, ``path`` is not a regular
            file, or a later start of this job owns it.
    """
    with _room(path) as (target, folder):
        temporary = folder / f"new{path.suffix}"
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        require_ownership(path)
        temporary.replace(target)


def require_writable(path: Path) -> None:
    """Check, before long work, that a file can be written (`UserError` if it cannot)."""
    with _room(path):
        pass


@contextmanager
def _room(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the target of a path, and a hidden folder beside it."""
    try:
        target = _regular(path)
        with partial_folder(target) as folder:
            yield target, folder
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def _regular(path: Path) -> Path:
    """Return the target of a path, which need not exist (`UserError` for a folder or device)."""
    target = Path(os.path.realpath(path))  # `resolve` fails on circular links
    if target.exists() and not target.is_file():
        kind = "it is a folder" if target.is_dir() else "it is not a regular file"
        raise UserError(f"{path} cannot be written: {kind}")
    return target


def write_text(path: Path, text: str) -> None:
    """Write text atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically (`ValueError` for NaN and infinity, which JSON lacks)."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: it is missing, unreadable, too large or not JSON, or has too many values.
    """
    try:
        content = read_bounded(path, LARGEST_JSON)
        require_few_values(content, str(path))
        return json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as UTF-8: {error}") from error
    except (ValueError, RecursionError) as error:  # also a number with thousands of digits
        raise UserError(f"{path} is not valid JSON: {error}") from error


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file (`UserError` if it holds something else)."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold a JSON object, {{...}}, at its top level")
    return content


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal (`UserError` if it cannot be read)."""
    require_regular(path)
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
