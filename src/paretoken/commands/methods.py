"""`paretoken methods`: a study's ways to compress side by side, as CSV, Markdown and LaTeX."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.methods import comparisons, method_scores
from paretoken.commands.result_arguments import add_result_arguments, results_of
from paretoken.io.files import write_text
from paretoken.io.text_tables import latex_table
from paretoken.report.methods_table import methods_page, wide
from paretoken.study.contract import SCORE_COLUMNS
from paretoken.study.table_files import read_table, write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_result_arguments(parser)
    parser.add_argument("--scores", type=Path, required=True, help="tables/scores.csv")
    parser.add_argument("--out", type=Path, required=True, help="methods.csv: every score, one a row")
    parser.add_argument("--comparisons", type=Path, required=True, help="CSV: each method, best one")
    parser.add_argument("--page", type=Path, required=True, help="Markdown to write")
    parser.add_argument("--latex", type=Path, required=True, help="LaTeX to write")


def run(arguments: argparse.Namespace) -> None:
    """Compare and write."""
    a = arguments
    results = results_of(a)
    scores = method_scores(results, read_table(a.scores, SCORE_COLUMNS))
    compared, table = comparisons(results), wide(results, scores)
    write_table(a.out, scores)
    write_table(a.comparisons, compared)
    write_text(a.page, methods_page(results, table, compared, scores))
    write_text(a.latex, latex_table(table))
    print(f"{len(table)} methods and token counts, {len(compared)} comparisons")
