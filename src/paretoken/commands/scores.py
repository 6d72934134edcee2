"""`paretoken scores`: gather the benchmark scores of a trained study's cells in one table."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from paretoken.analysis.scales import require_one_metric
from paretoken.io.text_tables import counted
from paretoken.study.contract import SCORE_COLUMNS
from paretoken.study.table_files import read_table, require_unique, write_table

KEY = ("study", "llm", "compressor", "visual_tokens", "seed", "benchmark")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--cells", type=Path, nargs="+", required=True, help="scores.csv of each cell")
    parser.add_argument("--out", type=Path, required=True, help="tables/scores.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Gather the cells, in the order of the grid, and write the table."""
    table = pd.concat([read_table(path, SCORE_COLUMNS) for path in arguments.cells], ignore_index=True)
    require_unique(table, KEY, "the cells")
    require_one_metric(table)
    write_table(arguments.out, table)
    print(f"{counted(len(table), 'score')} of {counted(len(arguments.cells), 'cell')}")
