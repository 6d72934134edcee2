"""Preparing a training set: counting its conversations, indexing its images, and linking to both."""

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
from paretoken.data.conversations import BadRowError, row_image
from paretoken.data.decoded import remembering
from paretoken.data.image_index import Seen, index_images, index_row_images, renamed
from paretoken.data.rows import data_files, iter_rows, require_readable
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.escape import shown
from paretoken.io.files import sha256, write_json
from paretoken.io.finished import RUN_FILE
from paretoken.io.folders import replacing_folder
from paretoken.study.paths import CONVERSATIONS, IMAGES

SKIPPED, INDEX = "skipped.json", "images.parquet"
#: Suffix of the file beside the folder that lists decoded images (see `paretoken.data.decoded`).
MEMORY = ".decoded"


@dataclass(frozen=True)
class Options:
    """Options of `prepare`: number of processes and threads, and whether every image is decoded."""

    workers: int = 1
    decode: bool = True


@dataclass(frozen=True)
class TrainingFiles:
    """The files of a training set.

    Attributes:
        name: what to call the set in messages and in its record.
        conversations: rows in any format of `paretoken.data.rows`.
        images: folder of the images that rows name; None: rows hold their images.
    """

    name: str
    conversations: Path
    images: Path | None


def prepared_key(files: TrainingFiles, max_bad_share: float, options: Options) -> str:
    """Return a hash of everything that determines the output of `prepare`, except files of images."""
    places = [str(path and path.resolve()) for path in (files.conversations, files.images)]
    hashes = [sha256(path) for path in data_files(files.conversations)]
    return digest(places, hashes, max_bad_share, options.decode)


def require_files(files: TrainingFiles) -> None:
    """Raise `UserError` unless the conversations and the folder of images exist."""
    require_readable(files.conversations)
    if files.images is not None and not files.images.is_dir():
        raise UserError(
            f"{files.images} is not a directory; write the folder of the images, or leave it out if the "
            "rows hold their images"
        )


def prepare(
    files: TrainingFiles,
    out: Path,
    skips: Skips,
    key: str,
    options: Options = Options(),
    progress: Callable[[str], ProgressCallback] = lambda what: silent,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Count and index one's own training set; arguments, result and errors as of `link_and_index`."""
    require_files(files)
    counted = count_rows(files.conversations, skips.share)
    return link_and_index(files, counted, out, skips, key, options, progress, say)


def link_and_index(
    files: TrainingFiles,
    counted: Counted,
    out: Path,
    skips: Skips,
    key: str,
    options: Options,
    progress: Callable[[str], ProgressCallback],
    say: Callable[[str], None],
    unpacked: Sequence[str] = (),
) -> dict[str, Any]:
    """Check every image that the conversations name, and write ``out`` with links to unchanged files.

    Args:
        files: the data set.
        counted: the counts of its conversations.
        out: folder to write: ``conversations`` and ``images`` (links; no ``images`` if rows hold them),
            ``images.parquet`` (name, file, width, height, bytes), ``skipped.json``, ``run.json``.
            Beside it, ``*.decoded`` records which images were decoded.
        skips: collects the images that are missing or unreadable.
        key: hash of the settings, for the record.
        options: how to prepare.
        progress: returns a progress callback for a kind of work.
        say: prints a message.
        unpacked: archives that were unpacked, for the record.

    Returns:
        The content of ``run.json``.

    Raises:
        UserError: too many images are bad.
    """
    started = time.monotonic()
    memory = Path(f"{os.path.realpath(out)}{MEMORY}")
    seen = _index(files, memory, counted, skips, options, progress("images"))
    for folder, count in renamed(seen).items():
        say(
            f"{folder or '.'}: images that have another suffix than in {CONVERSATIONS} (.gif or .png "
            f"for .jpg) and are used unchanged: {count:,}"
        )
    skips.check(max(1, len(counted.images)))
    record = {
        "key": key,
        "set": files.name,
        "rows": counted.rows,
        "text_only": counted.text_only,
        "rows_by_folder": dict(counted.folders),
        "images": len(counted.images),
        "skipped": len(skips.rows),
        "unpacked": list(unpacked),
        "index_s": time.monotonic() - started,
    }
    _write(out, files, counted, seen, skips, record)
    return record


def _index(
    files: TrainingFiles,
    memory: Path,
    counted: Counted,
    skips: Skips,
    options: Options,
    progress: ProgressCallback,
) -> list[Seen]:
    """Return an entry per image of the conversations; decoded files are recorded."""
    if files.images is None:
        rows = iter_rows(files.conversations)
        return index_row_images(rows, list(counted.images), skips, options.decode, progress)
    with remembering(memory, files.images) if options.decode else nullcontext() as decoded:
        return index_images(
            files.images, list(counted.images), skips, options.workers, decoded, progress
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


def _write(
    out: Path,
    files: TrainingFiles,
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
        (folder / CONVERSATIONS).symlink_to(files.conversations.resolve())
        if files.images is not None:
            (folder / IMAGES).symlink_to(files.images.resolve())
        write_table(pa.table(columns), folder / INDEX)
        write_json(folder / SKIPPED, skipped)
        write_json(folder / RUN_FILE, record)
