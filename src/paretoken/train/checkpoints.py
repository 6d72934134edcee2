"""Checkpoints that are whole or not there, and belong to one run.

A checkpoint is written under a hidden name, gets a manifest with the size and hash of every file,
and only then its final name. What a kill leaves under the hidden name is removed at the next start;
what a damaged disk leaves under the final name does not fit its manifest and is skipped.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.io.files import read_json, sha256, write_json
from paretoken.io.ownership import own_token, require_ownership
from paretoken.io.partial import PARTIAL

MANIFEST = "manifest.json"
PREFIX = "checkpoint-"

#: Where a checkpoint is written before it is whole; what follows is this start's own.
SAVING = f"{PARTIAL}saving"

#: Larger files are compared by size only: hashing an optimiser state of 100 GB takes minutes.
HASHED_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint and what its run had spent when it was written."""

    path: Path
    step: int
    progress: dict[str, Any]


def saving_folder(folder: Path) -> Path:
    """Return where this start of a job writes; a process that its node outlived writes elsewhere."""
    token = own_token()
    return folder / (f"{SAVING}-{token}" if token else SAVING)


def seal(folder: Path, final: Path, run_key: str, step: int, progress: dict[str, Any]) -> None:
    """Give a finished checkpoint its manifest and its final name.

    Args:
        folder: where the files were written.
        final: the name it gets; what stands there is replaced.
        run_key: identifies the run: a checkpoint of another run is never continued.
        step: optimiser steps done.
        progress: what else to carry over, such as seconds spent.
    """
    files = {str(p.relative_to(folder)): _entry(p) for p in folder.rglob("*") if p.is_file()}
    content = {"run": run_key, "step": step, "progress": progress, "files": files}
    write_json(folder / MANIFEST, content)
    require_ownership(final)
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)


def latest(folder: Path, run_key: str) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest complete checkpoint of a run, and why newer ones were passed over.

    Half-written checkpoints are removed; those of another run or damaged ones are left alone.
    """
    for left in folder.glob(f"{SAVING}*"):
        shutil.rmtree(left, ignore_errors=True)
    notes: list[str] = []
    for path in sorted(folder.glob(f"{PREFIX}*"), key=_step, reverse=True):
        problem = defect(path, run_key)
        if problem is None:
            manifest = read_json(path / MANIFEST)
            return Checkpoint(path, manifest["step"], manifest["progress"]), notes
        notes.append(f"{path} is skipped: {problem}")
    return None, notes


def defect(path: Path, run_key: str) -> str | None:
    """Return why a checkpoint cannot be continued; None if it can."""
    try:
        manifest = read_json(path / MANIFEST)
    except UserError:
        return "it is incomplete (no manifest)"
    if manifest.get("run") != run_key:
        return "it belongs to a run with other settings or data"
    for name, entry in manifest["files"].items():
        part = path / name
        if not part.is_file() or part.stat().st_size != entry["bytes"]:
            return f"{name} is missing or truncated"
        if entry["sha256"] is not None and sha256(part) != entry["sha256"]:
            return f"{name} is damaged (its content changed)"
    return None


def remove_old(folder: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints."""
    for path in sorted(folder.glob(f"{PREFIX}*"), key=_step, reverse=True)[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def _entry(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    return {"bytes": size, "sha256": sha256(path) if size <= HASHED_BYTES else None}


def _step(path: Path) -> int:
    text = path.name.removeprefix(PREFIX)
    return int(text) if text.isdigit() else -1
