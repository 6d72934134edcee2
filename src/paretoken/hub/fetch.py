"""Fetching a model or data set into a directory of its own, verified, with a record of its origin."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paretoken.errors import UserError
from paretoken.hub.contained import link_roots, resolved_inside
from paretoken.hub.request import MAIN, Request
from paretoken.io.files import read_object, write_json
from paretoken.io.finished import RUN_FILE, already_done
from paretoken.io.folders import replacing_folder, require_apart
from paretoken.io.versions import versions
from paretoken.model_files.known_hashes import KnownHash, keep_hashes, known_hash
from paretoken.model_files.model_json import read_model_json, require_small_files
from paretoken.model_files.needed_files import dataset_files, model_files, weight_files

__all__ = ["MAIN", "Request", "fetch", "verify_local"]


def fetch(request: Request, out: Path, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Write a directory that `from_pretrained` (or a reader of data sets) reads, with its record.

    Weights and data are hard links to the cache or the local directory if both are on one file system:
    they take no space, and stay when the cache is emptied. Otherwise they are copied. Small files are
    always copied, since some are changed here.

    Args:
        request: what to fetch.
        out: folder to write; ``run.json`` in it is its record.
        say: called with messages.

    Returns:
        The record.

    Raises:
        UserError: it cannot be fetched, or does not meet the request. Nothing is left at ``out``.
    """
    if already_done(out, request.key(), say):
        record = read_object(out / RUN_FILE)
        _require_present(out, record)
        if request.kind == "vision":
            _require_grid(request, record["grid"])
        return record
    local = request.local
    _require_source(request)
    if request.grid is not None and request.kind != "vision":
        raise UserError(f"--grid is for --kind vision: a {request.kind} has no patches; leave it out")
    require_apart(out, local)
    names, found, commit, folder = _gather(request, local)
    roots = _roots(local)
    with replacing_folder(out) as new:
        for name in names:
            _place(resolved_inside(folder / name, roots, request.source), new / name, name)
        if request.kind != "dataset":
            keep_hashes(new, _known(folder, new, found))
        details = _verified(request, new, names)
        record = {
            "key": request.key(),
            "kind": request.kind,
            "source": request.source if local is None else str(local),
            "revision": request.revision if local is None else None,
            "commit": commit,
            "files": found,
            **details,
            "versions": versions("huggingface-hub", "transformers", "tokenizers", "safetensors"),
        }
        write_json(new / RUN_FILE, record)
    return record


def verify_local(request: Request) -> dict[str, Any]:
    """Verify a local directory as `fetch` does, except for hashes; return the details, write nothing.

    Raises:
        UserError: `fetch` would reject it.
    """
    _require_source(request)
    local = request.local
    if local is None:
        raise UserError(f"{request.source} is not a local directory; only those are verified in place")
    names = _local_files(request, local)
    with TemporaryDirectory() as made:
        for name in names:
            if _changes(name):
                shutil.copyfile(local / name, Path(made, name))
            else:
                Path(made, name).symlink_to(local / name)
        return _verified(request, Path(made), names)


def _verified(request: Request, folder: Path, names: Sequence[str]) -> dict[str, Any]:
    try:
        return _complete(request, folder, names)
    except UserError as error:  # the folder no longer exists when the message is read
        raise UserError(str(error).replace(str(folder), request.source)) from error


def _require_source(request: Request) -> None:
    """Raise `UserError` for a local directory that does not exist, or with a revision."""
    if request.local is not None:
        if request.revision != MAIN:
            raise UserError(
                f"{request.source} is a local directory, which has no revision {request.revision!r}; "
                "leave --revision out"
            )
        return
    if request.source.startswith(("/", ".", "~")) or request.source.count("/") > 1:
        raise UserError(
            f"{request.source} is not a directory; write an existing one, or a hub id such as owner/name"
        )


def _gather(
    request: Request, local: Path | None
) -> tuple[list[str], dict[str, dict[str, Any]], str | None, Path]:
    """Return the names of the files, their sizes and hashes, the commit, and where they are."""
    from paretoken.hub.verify import download_whole, hashes

    if local is not None:
        names = _local_files(request, local)
        return names, hashes(local, names), None, local
    type_ = "dataset" if request.kind == "dataset" else "model"
    choose = partial(_chosen, request)
    snapshot, found = download_whole(request.source, request.revision, type_, choose)
    return list(snapshot.files), found, snapshot.commit, snapshot.folder


def _chosen(request: Request, names: Sequence[str]) -> list[str]:
    if request.kind == "dataset":
        return dataset_files(names, request.include, request.source)
    return model_files(names, request.source)


def _local_files(request: Request, local: Path) -> list[str]:
    names = [p.relative_to(local).as_posix() for p in local.rglob("*") if p.is_file()]
    names = [name for name in _chosen(request, names) if name != RUN_FILE]
    for name in names:  # before any file is read
        resolved_inside(local / name, link_roots(local), request.source)
    if request.kind != "dataset":
        require_small_files(local)
    return names


def _known(folder: Path, new: Path, found: dict[str, dict[str, Any]]) -> dict[str, KnownHash]:
    """Return the hashes of the placed files of weights whose source is as it was when it was hashed."""
    same = {
        name: entry
        for name, entry in found.items()
        if name.endswith((".safetensors", ".bin"))
        and (status := (folder / name).stat()).st_mtime_ns == entry["mtime_ns"]
        and status.st_size == entry["size"]
    }
    return {name: known_hash(new / name, entry["sha256"]) for name, entry in same.items()}


def _changes(name: str) -> bool:
    """Whether a file may be changed here, so that it must not be shared with its source."""
    return "/" not in name and name.endswith((".json", ".jinja", ".txt"))


def _roots(local: Path | None) -> tuple[Path, ...]:
    """Return the folders that may hold the files: the local directory, or the cache."""
    if local is not None:
        return link_roots(local)
    from huggingface_hub import constants

    return (Path(constants.HF_HUB_CACHE).resolve(),)


def _place(real: Path, target: Path, name: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not _changes(name):
        try:
            os.link(real, target)
        except OSError:  # another file system, or one without hard links
            pass
        else:
            return
    shutil.copyfile(real, target)


def _complete(request: Request, folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Verify a model, and make its tokenizer usable; return the details for its record."""
    if request.kind == "dataset":
        return {}
    from paretoken.hub.fast_tokenizer import make_fast, write_template
    from paretoken.hub.inspect import inspect_llm, inspect_vision
    from paretoken.hub.verify import require_count
    from paretoken.model_files.weight_files import stored_parameters

    details: dict[str, Any] = {}
    for name in names:
        if name.endswith(".json"):
            read_model_json(folder / name)
    stored = stored_parameters(folder, weight_files(names))
    if request.kind == "llm":
        details["tokenizer_converted"] = make_fast(folder)
        if request.template != "chat":
            write_template(folder, request.template)
        details |= inspect_llm(folder, "chat") | {"template": request.template}
    else:
        details |= inspect_vision(folder)
        _require_grid(request, details["grid"])
    require_count(details["parameters"], stored, request.params, request.source)
    return details


def _require_grid(request: Request, side: int) -> None:
    from paretoken.models.vision import require_grid

    require_grid(side, request.grid, request.source)


def _require_present(out: Path, record: dict[str, Any]) -> None:
    """Require that the files of a finished directory still exist, in their sizes."""
    for name, file in record["files"].items():
        path = out / name
        same = path.is_file() and (_changes(name) or path.stat().st_size == file["size"])
        if not same:
            raise UserError(f"{path} is missing or was changed since; delete {out} and fetch it again")
