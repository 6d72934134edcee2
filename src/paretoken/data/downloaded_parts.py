"""Preparing a downloaded training set: verifying its parts and unpacking its archives first."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paretoken.config.settings import digest
from paretoken.data.archives import unpack, unpacking_alone
from paretoken.data.manifest import Archive, Conversations, DataSet, Part
from paretoken.data.prepare import (
    Counted,
    Options,
    TrainingFiles,
    count_rows,
    link_and_index,
)
from paretoken.data.skips import Skips
from paretoken.data.survey import Finding, count_files, find_archive, require_all, survey
from paretoken.errors import UserError
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.files import sha256


def downloaded_key(data_set: DataSet, root: Path, max_bad_share: float, options: Options) -> str:
    """Return a hash of all that determines the output of `prepare_downloaded`, except the images."""
    rows = root / data_set.conversations.path
    return digest(data_set, str(root.resolve()), sha256(rows), max_bad_share, options.decode)


def prepare_downloaded(
    data_set: DataSet,
    root: Path,
    out: Path,
    skips: Skips,
    key: str,
    options: Options,
    progress: Callable[[str], ProgressCallback] = lambda what: silent,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Verify and unpack a downloaded data set, and write ``out`` as `paretoken.data.prepare` does.

    Args:
        data_set: manifest of the data set.
        root: folder of its parts.
        out: folder to write.
        skips: collects the images that are missing or unreadable.
        key: hash of the settings, for the record.
        options: how to prepare.
        progress: returns a progress callback for a kind of work.
        say: prints a message.

    Returns:
        The content of ``run.json``.

    Raises:
        UserError: a part is missing, damaged or differs from the manifest, or too many images are
            bad.
    """
    findings = survey(data_set, root)
    require_all(findings, root)
    _verify(data_set.conversations, root)
    files = TrainingFiles(data_set.name, root / data_set.conversations.path, root / data_set.images)
    counted = count_rows(files.conversations, skips.share)
    _require_rows(counted, data_set.conversations, root)
    unpacked = _unpack_all(findings, root, options, progress, say)
    return link_and_index(files, counted, out, skips, key, options, progress, say, unpacked)


def _unpack_all(
    findings: Sequence[Finding],
    root: Path,
    options: Options,
    progress: Callable[[str], ProgressCallback],
    say: Callable[[str], None],
) -> list[str]:
    """Unpack the archives that are not unpacked yet; return their paths."""
    unpacked = []
    for finding in findings:
        if finding.state == "packed" and isinstance(finding.part, Archive):
            _require_inside(root, finding.part)
            with unpacking_alone(root / finding.part.folder, say):
                _unpack(finding.part, root, options, progress, say)
            unpacked.append(finding.part.path)
    return unpacked


def _verify(part: Part, root: Path) -> None:
    if part.sha256 is not None and sha256(root / part.path) != part.sha256:
        raise UserError(
            f"{root / part.path} is not the published file (its SHA-256 differs); download it again:\n"
            f"  {part.command(root)}"
        )


def _require_inside(root: Path, archive: Archive) -> None:
    """Raise `UserError` if a link leads an archive's folder outside of ``root``.

    Existing folders of images may be links to any place, but unpacking must not write through them.
    """
    base, target = (Path(os.path.realpath(place)) for place in (root, root / archive.folder))
    inside = target.is_relative_to(base) and target != base
    if not inside or any(part.startswith(".") for part in target.relative_to(base).parts):
        raise UserError(
            f"{root / archive.folder} leads through a link to {target}; archives are unpacked only "
            f"inside the data root, and not into hidden folders: unpack {archive.path} there by hand, "
            "remove the link, or give the folder of that disk as the data root"
        )


def _unpack(
    archive: Archive,
    root: Path,
    options: Options,
    progress: Callable[[str], ProgressCallback],
    say: Callable[[str], None],
) -> None:
    if find_archive(archive, root).state == "present":
        say(f"{archive.folder}: another process has unpacked it in the meantime")
        return
    say(f"{archive.path}: {'verifying and ' if archive.sha256 else ''}unpacking into {archive.folder}")
    _verify(archive, root)
    folder = root / archive.folder
    unpack(
        root / archive.path,
        folder,
        archive.inner,
        workers=options.workers,
        progress=progress(archive.folder),
    )
    count = count_files(folder)
    if archive.files is not None and count < archive.files:
        raise UserError(
            f"{root / archive.path} held {count:,} files instead of {archive.files:,}: it is "
            f"incomplete; delete it and {archive.folder}, and download it again:\n"
            f"  {archive.command(root)}"
        )


def _require_rows(counted: Counted, expected: Conversations, root: Path) -> None:
    """Raise `UserError` unless the conversations have the published numbers of rows."""
    wrong = [
        f"{what}: {has:,} instead of {should:,}"
        for what, has, should in (
            ("rows", counted.rows, expected.rows),
            ("rows without image", counted.text_only, expected.text_only),
            *(
                (f"rows in {folder}", counted.folders[folder], count)
                for folder, count in expected.rows_by_folder.items()
            ),
        )
        if should is not None and has != should
    ]
    if wrong:
        raise UserError(
            f"{root / expected.path} is not the published file ({'; '.join(wrong)}); download it again, "
            "or describe your file in your own manifest"
        )
