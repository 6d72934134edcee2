"""Atomic checkpoints, each of which belongs to one run.

A checkpoint is written under a hidden name, gets a manifest with the size and hash of every file,
and is then renamed to its final name. Files that a killed process leaves under the hidden name are
removed at the next start; a checkpoint that no longer matches its manifest is skipped.
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

#: The folder of a stage's checkpoints, in the folder of the stage.
CHECKPOINTS = "checkpoints"

MANIFEST = "manifest.json"
PREFIX = "checkpoint-"

#: Name of the folder in which a checkpoint is written; a token of this start is appended.
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
    """Return the folder in which this start of a job writes; another start has another folder."""
    token = own_token()
    return folder / (f"{SAVING}-{token}" if token else SAVING)


def seal(folder: Path, final: Path, run_key: str, step: int, progress: dict[str, Any]) -> None:
    """Write the manifest of a complete checkpoint and rename it to its final name.

    Args:
        folder: where the files were written.
        final: the final path; an existing folder is replaced.
        run_key: identifies the run: only a checkpoint of the same run is resumed.
        step: number of optimiser steps done.
        progress: other values to restore, such as seconds spent.
    """
    files = {str(p.relative_to(folder)): _entry(p) for p in folder.rglob("*") if p.is_file()}
    content = {"run": run_key, "step": step, "progress": progress, "files": files}
    write_json(folder / MANIFEST, content)
    require_ownership(final)
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)


def latest(folder: Path, run_key: str) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest valid checkpoint of a run, and the reasons why newer ones were skipped.

    Incomplete checkpoints are removed; damaged ones and those of other runs are kept.
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
    """Return the reason why training cannot resume from a checkpoint; None if it can."""
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
