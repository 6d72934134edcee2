"""Paths in the config, and where they may lead.

A relative path must stay inside the project, the working directory. An absolute path, one that begins
with ``~`` and a link are deliberate, and may lead anywhere but to hidden files and folders, where
programs keep keys, passwords and settings.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from paretoken.config.fields import Text, not_empty, problem
from paretoken.io.escape import shown

#: Hidden folders that are allowed, since models are kept there; only the files below are secret.
USUAL = frozenset({".cache"})
#: Names of the files in its cache in which the hub's library stores access tokens.
SECRET = frozenset({"token", "stored_tokens"})


def at_home(path: str) -> str:
    """Return a path with a leading ``~`` or ``~user`` expanded to the home directory.

    Raises:
        PydanticCustomError: there is no such user, or the home directory is unknown.
    """
    if not path.startswith("~"):
        return path
    whose = path.partition("/")[0]
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:
        expanded = Path()
    if not expanded.is_absolute() or (whose == "~" and os.environ.get("HOME") == ""):
        reason = "HOME names no directory" if whose == "~" else "there is no such user"
        raise problem(f"{shown(path)} begins with {whose}, but {reason}; write the whole path")
    return str(expanded)


def contained(path: str) -> str:
    """Return a path unchanged, if it leads where a config's paths may lead.

    Raises:
        PydanticCustomError: it is relative and leads out of the project by ``..``; or the path, or the
            target of its links, is hidden.
    """
    projects = project_folders()
    try:
        target = PurePath(os.path.realpath(path))
    except ValueError:  # NUL, or a lone surrogate: `unwritable_texts` reports it
        return path
    inside = any(target.is_relative_to(project) for project in projects)
    leads_out = ".." in path.split("/") and not inside
    if not path.startswith("/") and (leads_out or os.path.normpath(path).split("/")[0] == ".."):
        raise problem(
            f"{shown(path)} leads out of the project, to {shown(str(target))}; write a path inside the "
            "project, or an absolute one"
        )
    for place in (PurePath(os.path.normpath(projects[0] / path)), target):
        if is_hidden(place, projects):
            raise problem(
                f"{shown(path)} leads to {shown(str(place))}, which is hidden or in a hidden folder; "
                "those hold keys and settings: copy what you need to another place, and name that"
            )
    return path


def project_folders() -> list[PurePath]:
    """Return the working directory, and the project if this is a launch's copy of it.

    A launch's copy lies in `.snakemake/launches` and has links to the project's data and results, see
    `paretoken.slurm.freeze`.
    """
    here = PurePath(os.path.realpath("."))
    launched = here.match(".snakemake/launches/*")
    return [here, *([here.parents[2]] if launched else [])]


def is_hidden(place: PurePath, projects: Sequence[PurePath]) -> bool:
    """Return whether an absolute path has a hidden part, below the project or home if it is inside."""
    above = (*projects, PurePath(os.path.realpath(os.environ.get("HOME", "/"))))
    base = next((folder for folder in above if place.is_relative_to(folder)), PurePath("/"))
    parts = place.relative_to(base).parts
    hidden = [part for part in parts if part.startswith(".")]
    return any(part not in USUAL for part in hidden) or bool(hidden and SECRET & set(parts))


#: A path, or (where a field says so) a hub's id.
ConfigPath = Annotated[
    str, AfterValidator(not_empty), AfterValidator(at_home), AfterValidator(contained)
]


def inside(path: str) -> str:
    """Return a path unchanged, if it is relative and stays inside of the folder to which it is relative.

    Raises:
        PydanticCustomError: it leads out of the folder, or has a hidden part.
    """
    parts = PurePosixPath(path)
    outside = parts.is_absolute() or ".." in parts.parts or path.startswith("~/") or "\\" in path
    if outside or not path.isprintable():
        raise problem(
            f"{shown(path)} must stay inside its folder; write a relative path without '..' and '~'"
        )
    if any(part.startswith(".") for part in parts.parts):  # programs keep their settings there
        raise problem(f"{shown(path)} has a hidden part; write a path without names that begin with '.'")
    return path


#: A path relative to a folder that another field names.
PathInside = Annotated[Text, AfterValidator(inside)]
