"""Checking that names and links stay inside a local directory, a repository or the cache."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from paretoken.errors import UserError

_COMMIT = re.compile(r"[0-9a-f]{40}")
#: Valid ETags, which name files in the cache: a hash, or another word.
_ETAG = re.compile(r'(W/)?"?[0-9A-Za-z][0-9A-Za-z_.+-]{0,127}"?')


def is_commit(text: str) -> bool:
    """Whether this is the full hash of a commit."""
    return _COMMIT.fullmatch(text) is not None


def is_plain_etag(text: str) -> bool:
    """Whether an ETag can be used as a file's name: no folders, not hidden, usual characters only."""
    return _ETAG.fullmatch(text) is not None


def is_relative_name(name: str) -> bool:
    """Whether the name of a repository's file stays inside the repository."""
    parts = name.split("/")
    inside = not PurePosixPath(name).is_absolute() and not {"", ".", ".."} & set(parts)
    return inside and "\\" not in name and name.isprintable() and len(name) < 1000


def resolved_inside(path: Path, roots: tuple[Path, ...], source: str) -> Path:
    """Return the file that a path leads to, which must be inside one of some folders.

    Args:
        path: a file, or a link to one.
        roots: the folders, without links in their paths.
        source: what to call the directory or repository in messages.

    Raises:
        UserError: the file is outside.
    """
    target = path.resolve()
    if not any(target.is_relative_to(root) for root in roots):
        raise UserError(
            f"{path.name!r} in {source} is a link to {str(target)!r}, which is outside; only files of "
            "the directory itself are used: replace the link by the file"
        )
    return target


def link_roots(folder: Path) -> tuple[Path, ...]:
    """Return the folders that links in a directory may lead to: itself, and in a cache its contents.

    The hub's cache keeps contents in ``blobs``, and links to them in ``snapshots/<commit>``.
    """
    folder = folder.resolve()
    if folder.parent.name == "snapshots" and is_commit(folder.name):
        return folder, folder.parents[1] / "blobs"
    return (folder,)
