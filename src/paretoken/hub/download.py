"""Downloading from a hub into its cache with `huggingface_hub`, with errors that say what to do.

The cache (``HF_HOME``), the endpoint (``HF_ENDPOINT``) and offline work (``HF_HUB_OFFLINE``) are that
library's settings; a token is read from the environment (``HF_TOKEN``) only. Complete files in the cache
are never downloaded again, so a killed download resumes with the file that it was at. That file starts
anew: a connection that breaks is resumed where it broke, but `huggingface_hub` gives each process a
partial file of its own, since two that append to one corrupt it where locks do not work (its issue
#4228).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from httpx2 import TransportError
from huggingface_hub import (
    HfApi,
    constants,
    get_cached_repo_tree,
    hf_hub_url,
    resolve_revision,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)
from huggingface_hub.utils.tqdm import tqdm

from paretoken.errors import UserError
from paretoken.hub.contained import is_commit, is_relative_name
from paretoken.hub.guard import guarded_answers
from paretoken.hub.hub_errors import explaining, not_cached, reason_of
from paretoken.io.escape import shown

#: SHA-256, or git's SHA-1.
HASH = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
#: Chooses the files to download from the names of all.
Choose = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Expected:
    """A file's entry in the hub's listing.

    Attributes:
        size: bytes.
        content: SHA-256 of a file in large-file storage (64 digits), git's hash of another (40 digits);
            None if the hub lists neither.
    """

    size: int
    content: str | None


@dataclass(frozen=True)
class Snapshot:
    """Files of one commit in the cache.

    Attributes:
        folder: folder of the files.
        commit: the commit's full hash.
        files: the requested files, by name.
    """

    folder: Path
    commit: str
    files: dict[str, Expected]


def download(repo: str, revision: str, kind: str, choose: Choose) -> Snapshot:
    """Download the chosen files of a repository, or find them in the cache.

    Args:
        repo: id of the repository, ``owner/name``.
        revision: branch, tag or commit.
        kind: ``model`` or ``dataset``.
        choose: selects the files to download from the names of all.

    Raises:
        UserError: there is no such repository or revision, access is refused, the hub cannot be
            reached and the files are not in the cache, or the disk is full.
    """
    api = HfApi(token=os.environ.get("HF_TOKEN") or False)  # False: a stored login is not used
    with explaining(repo, revision):
        try:
            with guarded_answers(repo, {}):
                commit, files = _listed(api, repo, revision, kind)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except (OSError, TransportError) as error:
            return _cached(repo, revision, kind, choose, reason_of(error))
        _require_commit(repo, commit)
        names = choose(sorted(files))
        _require_inside(repo, names)
        sizes = {name: files[name].size for name in names}
        _require_space(repo, commit, kind, sizes)
        addresses = {
            hf_hub_url(repo, name, repo_type=kind, revision=commit): size for name, size in sizes.items()
        }
        with guarded_answers(repo, addresses):
            # By its name, so that the cache remembers what the name meant, for offline work.
            resolved = api.resolve_revision(repo, repo_type=kind, revision=revision)
            if resolved.resolved != commit:
                raise UserError(
                    f"{repo}: {revision} moved to {resolved.resolved[:80]!r} meanwhile; "
                    "run the command again"
                )
            folder = api.snapshot_download(
                repo,
                repo_type=kind,
                revision=resolved,
                allow_patterns=[escape(name) for name in names],
                tqdm_class=DownloadProgress,
            )
    return Snapshot(Path(folder), commit, {name: files[name] for name in names})


def discard(snapshot: Snapshot, name: str) -> None:
    """Remove a damaged file from the cache, so that the next download gets it again.

    The target of a link that leads out of the cache is kept.
    """
    link = snapshot.folder / name
    content = link.resolve()
    if content.is_relative_to(Path(constants.HF_HUB_CACHE).resolve()):
        content.unlink(missing_ok=True)
    link.unlink(missing_ok=True)


def _require_commit(repo: str, commit: str) -> None:
    if not is_commit(commit):
        raise UserError(f"{repo}: the hub calls its commit {commit[:80]!r}, which is not a full hash")


def _require_inside(repo: str, names: Sequence[str]) -> None:
    """Raise `UserError` for names that would lead out of the cache's folders."""
    wrong = next((name for name in names if not is_relative_name(name)), None)
    if wrong is not None:
        raise UserError(f"{repo} lists a file {wrong[:80]!r}, which leads elsewhere or cannot be a name")


def _listed(api: HfApi, repo: str, revision: str, kind: str) -> tuple[str, dict[str, Expected]]:
    info: Any = api.repo_info(repo, revision=revision, repo_type=kind, files_metadata=True, timeout=30)
    files = {
        file.rfilename: Expected(int(file.size or 0), _hash_of(file)) for file in info.siblings or []
    }
    return str(info.sha), files


def _hash_of(file: Any) -> str | None:
    """Return the hash that a listing gives for a file (`ValueError` if it is something else)."""
    found = file.blob_id if file.lfs is None else file.lfs.sha256
    if found is not None and not (isinstance(found, str) and HASH.fullmatch(found)):
        raise ValueError(f"{shown(found)} is not the hash of a file")
    return found


def _cached(repo: str, revision: str, kind: str, choose: Choose, reason: str) -> Snapshot:
    """Return the chosen files from the cache, which names contents by the hashes that the hub listed."""
    try:
        resolved = resolve_revision(repo, repo_type=kind, revision=revision, local_files_only=True)
        _require_commit(repo, resolved.resolved)
        folder = Path(
            snapshot_download(
                repo, repo_type=kind, revision=resolved, local_files_only=True, allow_patterns=[]
            )
        )
    except (LocalEntryNotFoundError, RevisionResolutionError) as error:
        raise not_cached(repo, revision, reason) from error
    files = {
        path.relative_to(folder).as_posix(): _named(path.resolve())
        for path in folder.rglob("*")
        if path.is_file()
    }
    try:
        tree = get_cached_repo_tree(repo, repo_type=kind, revision=resolved)
    except CachedRepoTreeNotFoundError:  # another program filled the cache
        tree = []
    names = choose(sorted(files.keys() | {file.path for file in tree}))
    if not files.keys() >= set(names):
        raise not_cached(repo, revision, reason)
    return Snapshot(folder, resolved.resolved, {name: files[name] for name in names})


def _named(content: Path) -> Expected:
    name = content.name
    return Expected(content.stat().st_size, name if len(name) in (40, 64) else None)


def _require_space(repo: str, commit: str, kind: str, sizes: dict[str, int]) -> None:
    """Require space on the cache's disk for a download (partial files are not counted)."""
    needed = sum(
        size
        for name, size in sizes.items()
        if not isinstance(try_to_load_from_cache(repo, name, revision=commit, repo_type=kind), str)
    )
    cache = Path(constants.HF_HUB_CACHE)
    existing = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"{repo} needs {needed / 1e9:.1f} GB more in {cache}, where {free / 1e9:.1f} GB are free; "
            "free some space, or set HF_HOME to a larger disk"
        )


class DownloadProgress(tqdm):
    """The progress of a download, as a bar on a terminal and as a few plain lines in a log."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._shown, self._terminal = -1, sys.stderr.isatty()
        # Of the library's three bars (files, bytes received, bytes written) one is enough.
        options["disable"] = options.get("name") != "huggingface_hub.snapshot_download"
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Show the progress of the download."""
        if self._terminal:
            super().display(msg, pos)
            return
        tenth = int(10 * self.n / self.total) if self.total else 0
        if self.total and tenth > self._shown:
            self._shown = tenth
            print(
                f"fetch: {self.n / 1e6:,.1f} of {self.total / 1e6:,.1f} MB", file=sys.stderr, flush=True
            )
