"""Verifying downloaded or copied files: their sizes and hashes, and their number of weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub.utils.sha import git_hash

from paretoken.costs.shapes import require_size
from paretoken.errors import UserError
from paretoken.hub.download import Choose, Expected, Snapshot, discard, download
from paretoken.io.files import sha256


def download_whole(
    repo: str, revision: str, kind: str, choose: Choose
) -> tuple[Snapshot, dict[str, dict[str, Any]]]:
    """Download files as `download` does, and compare each with its entry in the hub's listing.

    Returns:
        The files, and the size and SHA-256 of each by name.

    Raises:
        UserError: as `download`, or a file is damaged; it is removed from the cache.
    """
    snapshot = download(repo, revision, kind, choose)
    found = hashes(snapshot.folder, list(snapshot.files))
    for name, expected in snapshot.files.items():
        wrong = damage(snapshot.folder / name, expected, found[name]["sha256"])
        if wrong is not None:
            discard(snapshot, name)
            raise UserError(
                f"{name} of {repo} is damaged: {wrong}; it was removed from the cache, "
                "run the command again"
            )
    return snapshot, found


def damage(path: Path, expected: Expected, found: str) -> str | None:
    """Return what is wrong with a file; None if it matches the hub's listing.

    Args:
        path: the file.
        expected: its size and hash in the hub's listing.
        found: its SHA-256.
    """
    size = path.stat().st_size
    if size != expected.size:
        return f"it has {size:,} bytes, the hub lists {expected.size:,}"
    if expected.content is None:
        return None
    in_git = len(expected.content) == 40
    kind, actual = ("git hash", git_hash(path.read_bytes())) if in_git else ("SHA-256", found)
    if actual != expected.content:
        return f"its {kind} is {actual}, the hub lists {expected.content}"
    return None


def hashes(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the size, modification time (before it is hashed) and SHA-256 of files, by name.

    Raises:
        UserError: one cannot be read.
    """
    try:
        return {name: _described(folder / name) for name in names}
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error


def _described(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": sha256(path)}


def require_count(found: int, stored: int, wanted: int | None, source: str) -> None:
    """Require that a model has the requested size, and that its weight files are complete.

    Args:
        found: parameters that its config describes.
        stored: numbers that its weight files hold.
        wanted: requested number of parameters; None: any.
        source: what to call the model in messages.

    Raises:
        UserError: the counts do not match.
    """
    require_size(found, wanted, source, "--params")
    if stored < found:
        raise UserError(
            f"the weights of {source} hold {stored:,} numbers, its config.json describes {found:,} "
            "parameters; the files are of another model, or incomplete"
        )
