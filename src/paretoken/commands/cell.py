"""`paretoken cell`: one cell of a study whose errors were measured elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.cell_arguments import add_cell_arguments, cell_of
from paretoken.study.measured import measured_cell, write_cell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study", required=True, help="name of the study")
    parser.add_argument("--measured", type=Path, required=True, help="table of measurements")
    parser.add_argument("--suites", nargs="+", required=True, help="suites to take")
    add_cell_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="errors.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Pick the cell's rows and write them."""
    a = arguments
    cell = cell_of(a)
    rows = measured_cell(a.measured, a.study, cell, a.params_b, a.suites)
    write_cell(a.out, rows)
