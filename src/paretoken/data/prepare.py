"""Preparing a training set: verifying its parts, unpacking archives and indexing every image."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretoken.config.settings import digest
from paretoken.data.archives import unpack, unpacking_alone
from paretoken.data.conversations import BadRowError, row_image
from paretoken.data.decoded import remembering
from paretoken.data.image_index import Seen, index_images, renamed
from paretoken.data.manifest import Archive, Conversations, DataSet, Part
from paretoken.data.rows import iter_rows
from paretoken.data.skips import Skips
from paretoken.data.survey import count_files, find_archive, require_all, survey
from paretoken.errors import UserError
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.escape import shown
from paretoken.io.files import sha256, write_json
from paretoken.io.finished import RUN_FILE
from paretoken.io.folders import replacing_folder

CONVERSATIONS, IMAGES, SKIPPED, INDEX = "conversations.json", "images", "skipped.json", "images.parquet"
#: Suffix of the file beside the folder that lists decoded images (see `paretoken.data.decoded`).
MEMORY = ".decoded"


@dataclass(frozen=True)
class Options:
    """Options of `prepare`: number of processes and threads, and whether every image is decoded."""

    workers: int = 1
    decode: bool = True


def prepared_key(data_set: DataSet, root: Path, max_bad_share: float, options: Options) -> str:
    """Return a hash of everything that determines the output of `prepare`, except the images."""
    rows = root / data_set.conversations.path
    return digest(data_set, str(root.resolve()), sha256(rows), max_bad_share, options.decode)


def prepare(
    data_set: DataSet,
    root: Path,
    out: Path,
    skips: Skips,
    key: str,
    options: Options = Options(),
    progress: Callable[[str], ProgressCallback] = lambda what: silent,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Verify, unpack and index a data set, and write ``out`` with links to the unchanged files.

    Args:
        data_set: manifest of the data set.
        root: folder of its parts.
        out: folder to write: ``conversations.json`` and ``images`` (links), ``images.parquet`` (name,
            file, width, height, bytes), ``skipped.json``, ``run.json``. Beside it, ``*.decoded``
            records which images were decoded.
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
    started = time.monotonic()
    findings = survey(data_set, root)
    require_all(findings, root)
    _verify(data_set.conversations, root)
    counted = count_rows(root / data_set.conversations.path, skips.share)
    _require_rows(counted, data_set.conversations, root)
    for finding in findings:
        if finding.state == "packed" and isinstance(finding.part, Archive):
            _require_inside(root, finding.part)
            with unpacking_alone(root / finding.part.folder, say):
                _unpack(finding.part, root, options, progress, say)
    indexing = time.monotonic()
    memory = Path(f"{os.path.realpath(out)}{MEMORY}")
    seen = _index(root / data_set.images, memory, counted, skips, options, progress("images"))
    for folder, count in renamed(seen).items():
        say(
            f"{folder or '.'}: {count:,} images have another suffix than in {CONVERSATIONS} "
            "(.gif or .png for .jpg); they are used unchanged"
        )
    skips.check(max(1, len(counted.images)))
    record = {
        "key": key,
        "set": data_set.name,
        "rows": counted.rows,
        "text_only": counted.text_only,
        "rows_by_folder": dict(counted.folders),
        "images": len(counted.images),
        "skipped": len(skips.rows),
        "unpacked": [f.part.path for f in findings if f.state == "packed"],
        "index_s": time.monotonic() - indexing,
        "wall_s": time.monotonic() - started,
    }
    _write(out, data_set, root, counted, seen, skips, record)
    return record


def _index(
    images: Path,
    memory: Path,
    counted: Counted,
    skips: Skips,
    options: Options,
    progress: ProgressCallback,
) -> list[Seen]:
    """Return an entry per image that the conversations name; decoded images are recorded."""
    with remembering(memory, images) if options.decode else nullcontext() as decoded:
        return index_images(images, list(counted.images), skips, options.workers, decoded, progress)


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


@dataclass
class Counted:
    """Counts of a conversations file: its rows, and the rows of each image, in order of appearance."""

    rows: int
    text_only: int
    folders: Counter[str]
    images: Counter[str]


def count_rows(path: Path, max_bad_share: float = 0.0) -> Counted:
    """Count the rows of a file of conversations and the images that they name.

    Raises:
        UserError: the share of rows whose image key is misspelt or whose image name is unusable is
            larger than allowed. Fewer such rows are left to `paretoken tokenize`, which lists them.
    """
    counted, bad = Counted(0, 0, Counter(), Counter()), Skips(str(path), max_bad_share)
    for row in iter_rows(path):
        counted.rows += 1
        try:
            name = row_image(row)
        except BadRowError as error:
            bad.add(f"row {counted.rows} (id {shown(row.get('id'))})", str(error))
            continue
        if name is None:
            counted.text_only += 1
        else:
            counted.images[name] += 1
            counted.folders[name.partition("/")[0]] += 1
    bad.check(counted.rows)
    return counted


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


def _write(
    out: Path,
    data_set: DataSet,
    root: Path,
    counted: Counted,
    seen: Sequence[Seen],
    skips: Skips,
    record: dict[str, Any],
) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    columns = {name: [getattr(s, name) for s in seen] for name in Seen.__dataclass_fields__}
    skipped = [
        {"image": name, "reason": reason, "rows": counted.images[name]} for name, reason in skips.rows
    ]
    with replacing_folder(out) as folder:
        (folder / CONVERSATIONS).symlink_to((root / data_set.conversations.path).resolve())
        (folder / IMAGES).symlink_to((root / data_set.images).resolve())
        write_table(pa.table(columns), folder / INDEX)
        write_json(folder / SKIPPED, skipped)
        write_json(folder / RUN_FILE, record)
