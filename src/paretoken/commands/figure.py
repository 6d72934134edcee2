"""`paretoken figure`: one figure from a study's files."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.results import add_result_arguments, results_of
from paretoken.figures.base import save
from paretoken.registry import FIGURES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--name", choices=list(FIGURES), required=True, help="which figure")
    add_result_arguments(parser)
    parser.add_argument(
        "--out", type=Path, nargs="+", required=True, help="files to write: .png, .pdf or .svg"
    )


def run(arguments: argparse.Namespace) -> None:
    """Draw and write the figure."""
    save(FIGURES.load(arguments.name), results_of(arguments), arguments.out)
