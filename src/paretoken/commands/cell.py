"""`paretoken cell`: one cell of a study whose errors were measured elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.cell_arguments import add_cell_arguments, cell_named
from paretoken.study.measured import measured_cell, write_cell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_cell_arguments(parser)
    parser.add_argument("--measured", type=Path, required=True, help="CSV of measured errors")
    parser.add_argument(
        "--suites", nargs="+", required=True, metavar="SUITE", help="names of the suites, in order"
    )
    parser.add_argument("--out", type=Path, required=True, help="errors.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Select the rows of the cell and write them."""
    a = arguments
    rows = measured_cell(a.measured, a.study, cell_named(a), a.params_b, a.suites)
    write_cell(a.out, rows)
