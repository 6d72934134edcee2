"""Versions of packages and the state of the code that made a result."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import paretoken


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, of this package and of those ``packages`` that are installed."""
    found = {"python": platform.python_version(), "paretoken": paretoken.__version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, str | bool | None]:
    """Return the commit of ``folder`` and whether tracked files differ from it.

    Both are None outside a git checkout or without git.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def commit_words(folder: Path) -> str | None:
    """Return the commit of ``folder``, and whether tracked files differ; None outside a checkout."""
    state = git_state(folder)
    if state["commit"] is None:
        return None
    return f"{state['commit']} with changes" if state["dirty"] else str(state["commit"])


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        run = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()
