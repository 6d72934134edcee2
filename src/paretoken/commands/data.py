"""`paretoken data`: check a training set, downloaded or one's own, and prepare it for training."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretoken.commands.arguments import share, threads
from paretoken.commands.runtime import counter
from paretoken.errors import UserError
from paretoken.io.escape import terminal
from paretoken.io.text_tables import counted

if TYPE_CHECKING:
    from paretoken.data.skips import Skips

#: The manifest that is read by default.
LLAVA = Path("workflow/reference/llava_data.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    cores = len(os.sched_getaffinity(0))
    downloaded = parser.add_argument_group("downloaded data")
    downloaded.add_argument(
        "--manifest",
        type=Path,
        help=f"files of the data sets and their hashes, a YAML file (default: {LLAVA})",
    )
    downloaded.add_argument(
        "--data-set", metavar="NAME", help="one of its sets, required: pretrain, finetune"
    )
    downloaded.add_argument(
        "--root", type=Path, help="where its files are, required: LLaVA's playground/data"
    )
    downloaded.add_argument(
        "--check",
        action="store_true",
        help="only report which files are there, which are missing and how to get them",
    )
    own = parser.add_argument_group("your own data")
    own.add_argument(
        "--conversations",
        type=Path,
        help="conversations in LLaVA's format: .json, .jsonl, .parquet or a Hugging Face data set on "
        "disk",
    )
    own.add_argument(
        "--images", type=Path, help="folder of image files that they name, unless rows hold their images"
    )
    parser.add_argument(
        "--no-decode",
        dest="decode",
        action="store_false",
        help="read only the header and last bytes of each image: minutes instead "
        "of hours, but damage in the middle is found only in training",
    )
    parser.add_argument(
        "--max-bad-share",
        type=share,
        default=0.0,
        help="share of missing or unreadable images that may be left out, from 0 to 1",
    )
    parser.add_argument(
        "--workers",
        type=threads,
        default=min(8, cores),
        help="processes that check images, and threads that unpack",
    )
    parser.add_argument("--out", type=Path, help="folder to write; needed without --check")


def run(arguments: argparse.Namespace) -> None:
    """Check the data set, or prepare it for training."""
    if arguments.conversations is None:
        _downloaded(arguments)
    else:
        _own(arguments)


def _downloaded(a: argparse.Namespace) -> None:
    from paretoken.data.downloaded_parts import downloaded_key, prepare_downloaded
    from paretoken.data.manifest import read_manifest
    from paretoken.data.prepare import Options
    from paretoken.data.survey import require_all, survey
    from paretoken.io.folders import require_apart

    _require_downloaded(a)
    manifest = a.manifest or LLAVA
    data_set = read_manifest(manifest).set_named(a.data_set)
    findings = survey(data_set, a.root)
    if a.check:
        for finding in findings:
            print(terminal(f"{finding.state:8} {finding.part.path}: {finding.words}"))
    require_all(findings, a.root)
    if a.check:
        return
    out = _out(a)
    require_apart(out, a.root, manifest)
    options = Options(a.workers, a.decode)
    key = downloaded_key(data_set, a.root, a.max_bad_share, options)
    if not _is_done(out, key, a.root):
        skips = _skips(a, data_set.name)
        _report(out, prepare_downloaded(data_set, a.root, out, skips, key, options, counter))


def _own(a: argparse.Namespace) -> None:
    from paretoken.data.prepare import Options, TrainingFiles, prepare, prepared_key, require_files
    from paretoken.io.folders import require_apart

    _require_own(a)
    out = _out(a)
    require_apart(out, a.conversations, a.images)
    files = TrainingFiles(str(a.conversations), a.conversations, a.images)
    require_files(files)
    options = Options(a.workers, a.decode)
    key = prepared_key(files, a.max_bad_share, options)
    if not _is_done(out, key, a.images or a.conversations):
        skips = _skips(a, files.name)
        _report(out, prepare(files, out, skips, key, options, counter))


def _require_downloaded(a: argparse.Namespace) -> None:
    """Raise `UserError` unless the options describe downloaded data, and nothing else."""
    if a.images is not None:
        raise UserError("--images: for your own data; give --conversations too, or --root instead")
    missing = [name for name, value in (("--data-set", a.data_set), ("--root", a.root)) if value is None]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} missing; give --data-set and --root for downloaded data, or "
            "--conversations for your own"
        )


def _require_own(a: argparse.Namespace) -> None:
    """Raise `UserError` if options for downloaded data are given beside one's own."""
    others = {"--manifest": a.manifest, "--data-set": a.data_set, "--root": a.root}
    unused = [name for name, value in others.items() if value is not None] + ["--check"] * a.check
    if unused:
        raise UserError(
            f"{', '.join(unused)}: for downloaded data, and --conversations for your own; give the "
            "options of one kind"
        )


def _out(a: argparse.Namespace) -> Path:
    if a.out is None:
        hint = "" if a.conversations else ", or --check to write nothing"
        raise UserError(f"--out is missing; give a folder to write{hint}")
    return Path(a.out)


def _is_done(out: Path, key: str, images: Path) -> bool:
    from paretoken.io.finished import already_done

    if not already_done(out, key):
        return False
    print(
        f"images of {images} were not checked again; to do so, delete {out} (unchanged images "
        "are not decoded again)"
    )
    return True


def _skips(a: argparse.Namespace, name: str) -> Skips:
    from paretoken.data.skips import Skips

    return Skips(f"images of {name}", a.max_bad_share)


def _report(out: Path, record: Mapping[str, Any]) -> None:
    rows = counted(record["rows"], "conversation", form=",")
    images = counted(record["images"], "image", form=",")
    print(
        f"{out}: {rows} ({record['text_only']:,} without an image), {images}, {record['skipped']:,} of "
        "them left out"
    )
