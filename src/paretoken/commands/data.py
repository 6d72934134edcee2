"""`paretoken data`: verify, unpack and check a downloaded training set."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from paretoken.commands.arguments import share, threads
from paretoken.commands.runtime import counter
from paretoken.errors import UserError
from paretoken.io.escape import terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--manifest",
        type=Path,
        default=Path("workflow/reference/llava_data.yaml"),
        help="files of the data sets and their hashes, a YAML file",
    )
    parser.add_argument(
        "--data-set", required=True, metavar="NAME", help="one of its sets: pretrain, finetune"
    )
    parser.add_argument(
        "--root", type=Path, required=True, help="where its files are: LLaVA's playground/data"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="only report which files are there, which are missing and how to get them",
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
    from paretoken.data.manifest import read_manifest
    from paretoken.data.prepare import Options, prepare, prepared_key
    from paretoken.data.skips import Skips
    from paretoken.data.survey import require_all, survey
    from paretoken.io.finished import already_done
    from paretoken.io.folders import require_apart

    a = arguments
    data_set = read_manifest(a.manifest).set_named(a.data_set)
    findings = survey(data_set, a.root)
    if a.check:
        for finding in findings:
            print(terminal(f"{finding.state:8} {finding.part.path}: {finding.words}"))
    require_all(findings, a.root)
    if a.check:
        return
    if a.out is None:
        raise UserError("--out is missing; give a folder to write, or --check to write nothing")
    require_apart(a.out, a.root, a.manifest)
    options = Options(a.workers, a.decode)
    key = prepared_key(data_set, a.root, a.max_bad_share, options)
    if already_done(a.out, key):
        print(
            f"images of {a.root} were not checked again; to do so, delete {a.out} (unchanged images "
            "are not decoded again)"
        )
        return
    skips = Skips(f"images of {data_set.name}", a.max_bad_share)
    record = prepare(data_set, a.root, a.out, skips, key, options, counter)
    print(
        f"{a.out}: {record['rows']:,} conversations ({record['text_only']:,} without an image), "
        f"{record['images']:,} images, {record['skipped']:,} of them left out"
    )
