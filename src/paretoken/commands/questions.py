"""`paretoken questions`: write a benchmark's prompts and images, from the hub or a local copy."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import count, named
from paretoken.io.text_tables import counted
from paretoken.registry import BENCHMARKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--benchmark",
        choices=list(BENCHMARKS),
        required=True,
        metavar="NAME",
        help=f"benchmark whose questions are written: {', '.join(BENCHMARKS)}",
    )
    parser.add_argument(
        "--source",
        type=named,
        metavar="ID_OR_FOLDER",
        help="hub repository (owner/name), or a local folder in the hub's layout; "
        "without it the benchmark's own repository",
    )
    parser.add_argument(
        "--revision", type=named, help="branch, tag or, better, full commit hash on the hub"
    )
    parser.add_argument(
        "--variant", help="another convention of the benchmark; an unknown name lists them"
    )
    parser.add_argument(
        "--limit", type=count, metavar="COUNT", help="ask only the first COUNT questions"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the questions."""
    from paretoken.config.settings import digest
    from paretoken.errors import UserError
    from paretoken.io.files import write_json
    from paretoken.io.finished import RUN_FILE, already_done
    from paretoken.io.folders import replacing_folder, require_apart

    a = arguments
    benchmark = BENCHMARKS.load(a.benchmark).variant(a.variant)
    if benchmark.hub is None:
        raise UserError(
            f"{a.benchmark} has no data set on the hub; `paretoken world` writes its questions"
        )
    source = a.source or benchmark.hub.repo
    require_apart(a.out, Path(source) if Path(source).is_dir() else None)
    key = digest(a.benchmark, a.variant, source, a.revision, a.limit)
    if already_done(a.out, key):
        return
    from paretoken.evaluate.hub_files import fetch_splits
    from paretoken.evaluate.hub_questions import splits_of, write_questions
    from paretoken.io.versions import versions

    root = fetch_splits(source, a.revision, splits_of(benchmark.hub))
    with replacing_folder(a.out) as folder:
        written = write_questions(folder, benchmark, root, a.limit)
        record = {
            "key": key,
            "benchmark": a.benchmark,
            "variant": a.variant,
            "source": source,
            "revision": a.revision,
            "config": benchmark.hub.config,
            "split": benchmark.hub.split,
            "limit": a.limit,
            "questions": written.questions,
            "text_only": written.text_only,
            "images": written.images,
            "max_new_tokens": benchmark.max_new_tokens,
            "files": [{"name": name, "bytes": size} for name, size in written.files],
            "snapshot": root.name if root != Path(source) else None,
            "versions": versions("pyarrow", "huggingface_hub"),
        }
        write_json(folder / RUN_FILE, record)
    rows = "row within --limit is an incomplete question", "rows within --limit are incomplete questions"
    cut = f"; left out: {counted(written.cut, *rows)}"
    print(
        f"{a.out}: {counted(written.questions, 'question')} ({written.text_only} without an image), "
        f"{counted(written.images, 'image')}{cut if written.cut else ''}"
    )
