"""Finding the parts of a training set that exist, and how to get the rest, without reading files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paretoken.data.manifest import Archive, DataSet, Part
from paretoken.errors import UserError
from paretoken.io.text_tables import counted

State = Literal["present", "packed", "missing"]


@dataclass(frozen=True)
class Finding:
    """Whether a part exists: itself or its unpacked folder, as an archive only, or not (completely)."""

    part: Part
    state: State
    words: str


def survey(data_set: DataSet, root: Path) -> list[Finding]:
    """Return the state of each part of a set; only sizes and listings are read."""
    return [
        *(_file(part, root) for part in [data_set.conversations]),
        *(find_archive(archive, root) for archive in data_set.archives),
    ]


def absent(data_set: DataSet, root: Path) -> list[Part]:
    """Return the parts that do not exist at all: no file, and no unpacked folder.

    The other parts need not be complete, which `survey` checks.
    """
    return [
        part
        for part in data_set.parts()
        if not (root / part.path).exists()
        and not (isinstance(part, Archive) and (root / part.folder).is_dir())
    ]


def _file(part: Part, root: Path) -> Finding:
    path = root / part.path
    if not path.is_file():
        return Finding(part, "missing", "missing")
    size = path.stat().st_size
    if part.bytes is not None and size != part.bytes:
        words = f"has {size:,} bytes instead of {part.bytes:,}: an interrupted download?"
        return Finding(part, "missing", words)
    return Finding(part, "present", f"{size / 1e9:.3g} GB")


def find_archive(archive: Archive, root: Path) -> Finding:
    """Return whether an archive, or the folder that it is unpacked into, exists."""
    folder, packed = root / archive.folder, _file(archive, root)
    count = count_files(folder) if folder.is_dir() else 0
    if count and (archive.files is None or count >= archive.files):
        return Finding(archive, "present", f"{archive.folder} holds {counted(count, 'file', form=',')}")
    if count:
        words = f"{archive.folder} holds {count:,} of {archive.files:,} files; delete it"
        return Finding(
            archive, "missing", words + (", its archive exists" * (packed.state == "present"))
        )
    if packed.state == "present":
        return Finding(archive, "packed", f"will be unpacked into {archive.folder}")
    return packed


def count_files(folder: Path) -> int:
    """Return the number of files in a folder and below, without hidden ones.

    Links to folders are followed, and each folder is counted once, however many links lead to it.
    """
    count, folders, seen = 0, [folder], set[tuple[int, int]]()
    while folders:
        path = folders.pop()
        status = path.stat()
        place = (status.st_dev, status.st_ino)
        if place in seen:
            continue
        seen.add(place)
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(path / entry.name)
                else:
                    count += 1
    return count


def require_all(findings: Sequence[Finding], root: Path) -> None:
    """Raise `UserError` if parts are missing; the message says what each is and how to get it."""
    missing = [finding for finding in findings if finding.state == "missing"]
    if missing:
        listed = "\n".join(
            f"  - {f.part.path}: {f.words}\n    {f.part.size()}, {f.part.licence}\n"
            f"    {f.part.command(root)}"
            for f in missing
        )
        verb = "is" if len(missing) == 1 else "are"
        parts = f"{len(missing)} of {counted(len(findings), 'part')} {verb}"
        raise UserError(f"{parts} missing in {root}:\n{listed}")
