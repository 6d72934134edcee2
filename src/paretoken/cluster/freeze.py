"""A launch's own copy of what it runs: config, workflow, recipes and code, as they were at its start.

Jobs wait for hours and read these files when they start; an edit meanwhile must not change what they
run. A launch folder looks like the project: what is small is copied, with its times, so that nothing
looks newer than it is; results, data and Snakemake's own records are links to the project's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

#: Never copied: written by jobs, or not read by them.
LINKED = frozenset({"results", "data", ".snakemake", ".git", ".venv", "node_modules"})
#: A folder with more than this is data, not settings.
FILES, BYTES = 2000, 20 * 2**20
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*_cache", "*.pyc")


def freeze(project: Path, launch: Path) -> None:
    """Make a launch folder.

    Args:
        project: the working directory of the driver.
        launch: folder to make; its parent may be inside the project's `.snakemake`.
    """
    (project / "results").mkdir(exist_ok=True)
    hidden = launch.with_name(f".{launch.name}")
    hidden.mkdir(parents=True)
    for entry in project.iterdir():
        if entry.name in LINKED or not _is_small(entry):
            (hidden / entry.name).symlink_to(entry.resolve())
        elif entry.is_dir():
            shutil.copytree(entry, hidden / entry.name, ignore=LEFT_OUT, symlinks=False)
        else:
            shutil.copy2(entry, hidden / entry.name)
    hidden.rename(launch)


def in_launch(path: Path, project: Path, launch: Path) -> Path:
    """Return where a file of the project is in its launch folder; others are where they were."""
    absolute = path.resolve()
    if not absolute.is_relative_to(project.resolve()):
        return absolute
    return launch / absolute.relative_to(project.resolve())


def remove_old(launches: Path, used: Collection[Path]) -> None:
    """Remove launch folders in which no job is left.

    Args:
        launches: the folder of launch folders.
        used: working directories of jobs that SLURM still has.
    """
    kept = {path.resolve() for path in used}
    for folder in launches.glob("*") if launches.is_dir() else []:
        if folder.resolve() not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def belongs_to(folder: Path, project: Path) -> bool:
    """Whether a job's working directory is a project or one of its launch folders."""
    return _is_within(folder, project) or _is_within(folder.resolve(), project.resolve())


def _is_within(folder: Path, project: Path) -> bool:
    return folder == project or (project / ".snakemake") in folder.parents


def _is_small(entry: Path) -> bool:
    """Whether a file or folder is settings or code; a folder of a million images is not read."""
    total = 0
    for number, path in enumerate(_files(entry)):
        try:
            total += path.stat().st_size
        except OSError:  # a link to nowhere
            return False
        if total > BYTES or number >= FILES:
            return False
    return True


def _files(entry: Path) -> Iterator[Path]:
    if not entry.is_dir():
        yield entry
        return
    for folder, names, files in os.walk(entry):
        names[:] = _without_caches(names)
        for name in files:
            yield Path(folder, name)


def _without_caches(names: Iterable[str]) -> list[str]:
    return [name for name in names if name != "__pycache__" and not name.endswith("_cache")]
