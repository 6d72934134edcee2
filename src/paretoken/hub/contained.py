"""Names and links that stay where they belong: in a local directory, a repository, the cache."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from paretoken.errors import UserError

_COMMIT = re.compile(r"[0-9a-f]{40}")
#: How an ETag may look, which names a file in the cache: a hash, or another word.
_ETAG = re.compile(r'(W/)?"?[0-9A-Za-z][0-9A-Za-z_.+-]{0,127}"?')


def is_commit(text: str) -> bool:
    """Whether this is the full hash of a commit."""
    return _COMMIT.fullmatch(text) is not None


def is_plain_etag(text: str) -> bool:
    """Whether an ETag can be used as a file's name: no folder, nothing hidden, nothing odd."""
    return _ETAG.fullmatch(text) is not None


def is_relative_name(name: str) -> bool:
    """Whether the name of a repository's file stays inside the repository."""
    parts = name.split("/")
    inside = not PurePosixPath(name).is_absolute() and not {"", ".", ".."} & set(parts)
    return inside and "\\" not in name and name.isprintable() and len(name) < 1000


def resolved_inside(path: Path, roots: tuple[Path, ...], source: str) -> Path:
    """Return the file that a path leads to.

    Args:
        path: a file, or a link to one.
        roots: folders, without links; the file must be in one of them.
        source: what to call the whole in messages.

    Raises:
        UserError: it is elsewhere.
    """
    target = path.resolve()
    if not any(target.is_relative_to(root) for root in roots):
        raise UserError(
            f"{path.name!r} in {source} is a link to {str(target)!r}, which is outside; only files of "
            "the directory itself are taken: put the file in its place"
        )
    return target


def link_roots(folder: Path) -> tuple[Path, ...]:
    """Return where the links in a directory may lead: into itself, and from a cache to its contents.

    The hub's cache keeps contents in ``blobs``, and in ``snapshots/<commit>`` links to them.
    """
    folder = folder.resolve()
    if folder.parent.name == "snapshots" and is_commit(folder.name):
        return folder, folder.parents[1] / "blobs"
    return (folder,)
