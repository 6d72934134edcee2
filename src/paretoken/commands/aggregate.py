"""`paretoken aggregate`: gather the errors of a grid's cells in one table."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.aggregate import aggregate
from paretoken.io.text_tables import counted
from paretoken.study.table_files import flags, write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--cells", type=Path, nargs="+", required=True, help="errors.csv of each cell")
    parser.add_argument(
        "--suites", nargs="+", required=True, metavar="SUITE", help="names of the suites, in order"
    )
    parser.add_argument("--out", type=Path, required=True, help="tables/errors.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Gather the cells and write the table."""
    table = aggregate(arguments.cells, arguments.suites)
    write_table(arguments.out, table)
    missing = int(table["error"].isna().sum())
    flagged = int(flags(table).ne("").sum())
    print(f"{counted(len(table), 'error')} (cells times suites); {missing} missing, {flagged} flagged")
