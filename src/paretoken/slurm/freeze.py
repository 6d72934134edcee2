"""Copying what a launch runs: config, workflow, recipes and code, as they were at its start.

Jobs wait for hours and read these files when they start; an edit meanwhile must not change what they
run. A launch folder mirrors the project: small files are copied with their modification times, so that
none looks newer than it is; results, data and Snakemake's own records are links to the project's, and so
are folders that are too large to be settings. `paretoken.slurm.kept_out` says what is left out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.slurm.kept_out import LINKED, is_secret, settings_files

#: A folder with more files or bytes than this is data, not settings.
FILES, BYTES = 2000, 20 * 2**20
LONGEST_PATH = 1000
#: Where launch folders are, in a project.
LAUNCHES = Path(".snakemake", "launches")


def freeze(project: Path, launch: Path, named: Iterable[Path] = ()) -> None:
    """Make a launch folder, which only its owner can read.

    Args:
        project: the working directory of the driver.
        launch: folder to make; its parent may be inside the project's `.snakemake`.
        named: paths that the config names; they are included even if git ignores them, unless they are
            secrets.

    Raises:
        UserError: a file cannot be read or written.
    """
    try:
        _make(project, launch, named)
    except OSError as error:
        raise UserError(
            f"{launch}, the copy that jobs run, cannot be made: {error.filename or ''}: {error.strerror}"
        ) from error


def _make(project: Path, launch: Path, named: Iterable[Path]) -> None:
    (project / "results").mkdir(exist_ok=True)
    hidden = launch.with_name(f".{launch.name}")
    hidden.mkdir(mode=0o700, parents=True)
    for name in LINKED:
        if (project / name).exists():
            (hidden / name).symlink_to((project / name).resolve())
    for entry, found in settings_files(project):
        files = _at_most(project, found)
        if files is None:
            (hidden / entry).symlink_to((project / entry).resolve())
        for path in files or ():
            _copy(project, hidden, path)
    for path in named:
        _add_named(project, hidden, path)
    hidden.rename(launch)


def named_in(config: Any) -> Iterator[Path]:
    """Yield the texts of a config that may be paths within the project."""
    if isinstance(config, Mapping):
        for value in config.values():
            yield from named_in(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from named_in(value)
    elif isinstance(config, str) and len(config) < LONGEST_PATH and not config.startswith("/"):
        yield Path(config.replace("\0", ""))


def in_launch(path: Path, project: Path, launch: Path) -> Path:
    """Return the path of a project's file in its launch folder; other files keep their paths."""
    absolute = path.resolve()
    if not absolute.is_relative_to(project.resolve()):
        return absolute
    return launch / absolute.relative_to(project.resolve())


def remove_old(launches: Path, used: Collection[Path]) -> None:
    """Remove launch folders that no job uses any more.

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


def _at_most(project: Path, found: Iterator[Path]) -> Sequence[Path] | None:
    """Return the files of a top-level entry; None if they are too many or too large for settings."""
    files, total = [], 0
    for path in found:
        files.append(path)
        try:
            total += (project / path).stat().st_size
        except FileNotFoundError:  # deleted since it was listed
            files.pop()
        if total > BYTES or len(files) > FILES:
            return None
    return files


def _copy(project: Path, folder: Path, path: Path) -> None:
    """Copy a file, or a link to another folder of the project as a link within the copy."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if (project / path).is_dir():
        inside = (project / path).resolve().relative_to(project.resolve())
        target.symlink_to(os.path.relpath(inside, path.parent))
    else:
        shutil.copy2(project / path, target)


def _add_named(project: Path, folder: Path, named: Path) -> None:
    """Add a path that the config names and git ignores: a file as a copy, a folder as a link."""
    path = Path(os.path.relpath(project / named, project))
    source, target = project / path, folder / path
    if path.parts[:1] in ((), ("..",)) or path.parts[0] in LINKED or is_secret(path):
        return
    try:
        if target.exists() or not (source.is_file() or source.is_dir()):
            return
    except OSError:  # a text that is longer than a name may be
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file() and source.resolve().is_relative_to(project.resolve()):
        shutil.copy2(source, target)
    else:
        target.symlink_to(source.resolve())
