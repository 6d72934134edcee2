"""From a hub into its cache, through `huggingface_hub`, with errors that say what to do.

The cache (``HF_HOME``), the endpoint (``HF_ENDPOINT``) and offline work (``HF_HUB_OFFLINE``) are that
library's own; a token is taken from the environment (``HF_TOKEN``) only. Whole files in the cache are
never downloaded again, so a killed download goes on with the file that it was at. That file starts anew:
a connection that breaks is taken up where it broke, but `huggingface_hub` gives each process a partial
file of its own, since two that append to one corrupt it where locks are not honoured (its #4228).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import (
    HfApi,
    constants,
    get_cached_repo_tree,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from paretoken.errors import UserError
from paretoken.hub.contained import is_commit, is_relative_name
from paretoken.hub.guard import guarded_answers
from paretoken.hub.hub_errors import explaining, is_network, not_cached, reason_of

#: Chooses the files to download from the names of all.
Choose = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Expected:
    """What the hub says of a file; ``sha256`` of those in large-file storage, ``blob`` of the others.

    ``blob`` is git's name of the content: SHA-1 of ``blob <size>``, a zero byte and the content.
    """

    size: int
    sha256: str | None
    blob: str | None


@dataclass(frozen=True)
class Snapshot:
    """Files of one commit in the cache.

    Attributes:
        folder: where they are.
        commit: the commit's full hash.
        files: those that were asked for, by name.
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
        choose: which of the repository's files.

    Raises:
        UserError: there is no such repository or revision, access is refused, the hub cannot be
            reached and the files are not in the cache, or the disk is full.
    """
    token = os.environ.get("HF_TOKEN") or False  # False: a stored login is not used
    with explaining(repo, revision):
        offline = None
        try:
            with guarded_answers(repo, {}):
                commit, files = _listed(repo, revision, kind, token)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except Exception as error:
            if not isinstance(error, OSError) and not is_network(error):
                raise
            offline = reason_of(error)
            commit, files = _remembered(repo, revision, kind, offline)
        names = choose(sorted(files))
        _require_inside(repo, commit, names)
        if offline is None:
            _demand_space(repo, commit, kind, {name: files[name].size for name in names})
        sizes = {_address(repo, name, kind, commit): files[name].size for name in names}
        with guarded_answers(repo, sizes):
            folder = snapshot_download(
                repo,
                repo_type=kind,
                # By its name, so that the cache remembers what the name meant, for offline work.
                revision=revision,
                allow_patterns=[_literal(name) for name in names],
                token=token,
                local_files_only=offline is not None,
                tqdm_class=Lines,
            )
    found = Path(folder).name
    if found != commit:
        raise UserError(f"{repo}: {revision} moved to {found} meanwhile; run the command again")
    return Snapshot(Path(folder), commit, {name: files[name] for name in names})


def discard(snapshot: Snapshot, name: str) -> None:
    """Take a damaged file out of the cache, so that the next download gets it again.

    What a link leads to outside the cache is not the cache's, and stays.
    """
    link = snapshot.folder / name
    content = link.resolve()
    if content.is_relative_to(Path(constants.HF_HUB_CACHE).resolve()):
        content.unlink(missing_ok=True)
    link.unlink(missing_ok=True)


def _require_inside(repo: str, commit: str, names: Sequence[str]) -> None:
    """Refuse a commit or names that would lead out of the cache's folders."""
    wrong = next((name for name in names if not is_relative_name(name)), None)
    if wrong is not None:
        raise UserError(f"{repo} lists a file {wrong[:80]!r}, which leads elsewhere or cannot be a name")
    if not is_commit(commit):
        raise UserError(f"{repo}: the hub calls its commit {commit[:80]!r}, which is not a full hash")


def _address(repo: str, name: str, kind: str, commit: str) -> str:
    return hf_hub_url(repo, name, repo_type=kind, revision=commit)


def _listed(repo: str, revision: str, kind: str, token: str | bool) -> tuple[str, dict[str, Expected]]:
    info: Any = HfApi(token=token).repo_info(
        repo, revision=revision, repo_type=kind, files_metadata=True, timeout=30
    )
    files = {}
    for file in info.siblings or []:
        sha256 = file.lfs.sha256 if file.lfs is not None else None
        blob = None if file.lfs is not None else file.blob_id
        files[file.rfilename] = Expected(int(file.size or 0), sha256, blob)
    return str(info.sha), files


def _remembered(repo: str, revision: str, kind: str, reason: str) -> tuple[str, dict[str, Expected]]:
    """Return what is in the cache, and, as far as it was noted there, what ought to be."""
    try:
        folder = Path(
            snapshot_download(
                repo, repo_type=kind, revision=revision, local_files_only=True, allow_patterns=[]
            )
        )
    except LocalEntryNotFoundError as error:
        raise not_cached(repo, revision, reason) from error
    files = {
        path.relative_to(folder).as_posix(): _expected(path)
        for path in folder.rglob("*")
        if path.is_file()
    }
    try:
        tree = get_cached_repo_tree(repo, repo_type=kind, revision=folder.name)
    except CachedRepoTreeNotFoundError:  # another program filled the cache
        tree = []
    absent = {file.path: Expected(file.size, None, None) for file in tree if file.path not in files}
    return folder.name, files | absent


def _expected(path: Path) -> Expected:
    """Return what the name of a cached file says: the cache calls contents by their hashes."""
    name, size = path.resolve().name, path.stat().st_size
    return Expected(size, name if len(name) == 64 else None, name if len(name) == 40 else None)


def _demand_space(repo: str, commit: str, kind: str, sizes: dict[str, int]) -> None:
    """Refuse a download that the disk of the cache cannot hold (partial files are not counted)."""
    needed = sum(
        size
        for name, size in sizes.items()
        if not isinstance(
            try_to_load_from_cache(repo, name, revision=commit, repo_type=kind), str | os.PathLike
        )
    )
    cache = Path(constants.HF_HUB_CACHE)
    standing = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(standing).free
    if needed > free:
        raise UserError(
            f"{repo} needs {needed / 1e9:.1f} GB more in {cache}, where {free / 1e9:.1f} GB are free; "
            "free some space, or set HF_HOME to a larger disk"
        )


def _literal(name: str) -> str:
    """Return a pattern that matches one name only."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


class Lines(tqdm):
    """Progress of a download as a bar on a terminal, and as few plain lines in a log."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._shown, self._terminal = -1, sys.stderr.isatty()
        self._counts = options.get("name") == "huggingface_hub.snapshot_download"
        # Of the library's three bars (files, bytes received, bytes written) one is enough.
        options["disable"] = not self._counts
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Show how far the download is."""
        if self._terminal:
            super().display(msg, pos)
            return
        tenth = int(10 * self.n / self.total) if self.total else 0
        if self.total and tenth > self._shown:
            self._shown = tenth
            print(
                f"fetch: {self.n / 1e6:,.1f} of {self.total / 1e6:,.1f} MB", file=sys.stderr, flush=True
            )
