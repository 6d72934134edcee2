"""`paretoken text-optimum`: find the best number of visual tokens by length of the question."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from paretoken.analysis.text_length import optima
from paretoken.commands.result_arguments import add_result_arguments, results_of
from paretoken.figures.text_length_curves import save_text_length
from paretoken.io.files import write_text
from paretoken.io.text_tables import counted
from paretoken.report.text_length_table import latex_of, page
from paretoken.study.contract import TEXT_LENGTH_COLUMNS
from paretoken.study.table_files import read_table, require_unique, write_table

TEXT_LENGTH_KEY = ("llm", "compressor", "visual_tokens", "seed", "suite", "text_tokens")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_result_arguments(parser)
    parser.add_argument(
        "--cells", type=Path, nargs="+", required=True, help="text_length.csv of each cell"
    )
    written = parser.add_argument_group("files to write")
    written.add_argument("--out", type=Path, required=True, help="text_length.csv to write: all cells")
    written.add_argument("--out-optima", type=Path, required=True, help="text_optimum.csv to write")
    written.add_argument("--out-latex", type=Path, required=True, help="LaTeX table to write")
    written.add_argument("--out-page", type=Path, required=True, help="Markdown page to write")
    written.add_argument(
        "--out-figure", type=Path, nargs="+", required=True, help="figures to write: .png, .pdf or .svg"
    )


def run(arguments: argparse.Namespace) -> None:
    """Gather the cells, compute the optima and write tables, page and figure."""
    a = arguments
    results = results_of(a)
    parts = [read_table(path, TEXT_LENGTH_COLUMNS) for path in a.cells]
    table = pd.concat(parts, ignore_index=True)
    require_unique(table, TEXT_LENGTH_KEY, "the cells")
    found = optima(results, table)
    write_table(a.out, table)
    write_table(a.out_optima, found)
    write_text(a.out_latex, latex_of(found))
    write_text(a.out_page, page(results, found))
    save_text_length(results, found, a.out_figure)
    errors, cells = counted(len(table), "error"), counted(len(parts), "cell")
    print(f"{errors} of {cells}; {counted(len(found), 'optimum', 'optima')}")
