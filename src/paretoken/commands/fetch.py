"""`paretoken fetch`: get a backbone or a data set from a hub or a local folder, and verify it."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import grid, named, parameters
from paretoken.io.escape import terminal
from paretoken.io.text_tables import counted
from paretoken.registry import TEMPLATES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--source",
        type=named,
        required=True,
        metavar="ID_OR_FOLDER",
        help="hub repository (owner/name), or a local folder",
    )
    parser.add_argument(
        "--revision",
        type=named,
        default="main",
        help="branch, tag or, better, full commit hash on the hub",
    )
    parser.add_argument(
        "--kind",
        choices=("llm", "vision", "dataset"),
        required=True,
        help="kind of the source, which decides which files are fetched and verified",
    )
    parser.add_argument(
        "--params",
        type=parameters,
        metavar="N",
        help="parameters that the model must have, within 0.1 %%; for vision those of the tower",
    )
    parser.add_argument(
        "--grid",
        type=grid,
        metavar="SIDE",
        help="for vision: patches per side that the encoder must have",
    )
    parser.add_argument(
        "--template",
        choices=("chat", *TEMPLATES),
        default="chat",
        help="chat template of an llm: chat, its tokenizer's own, or a named one, which is written "
        "into the folder",
    )
    parser.add_argument(
        "--include", nargs="+", default=[], metavar="PATTERN", help="for a dataset: only these files"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Fetch, verify and record."""
    # Must come first: huggingface_hub reads variables such as HF_HUB_OFFLINE only when it is imported.
    from paretoken.hub.fetch import Request, fetch

    a = arguments
    request = Request(a.source, a.revision, a.kind, a.params, a.template, tuple(a.include), a.grid)
    record = fetch(request, a.out)
    size = sum(file["size"] for file in record["files"].values())
    commit = f" at {record['commit']}" if record["commit"] else ""
    parameters = f", {record['parameters']:,} parameters" if "parameters" in record else ""
    words = (
        f"{a.source}{commit}: {counted(len(record['files']), 'file')}, {size / 1e9:.2f} GB{parameters}"
    )
    print(terminal(words))
