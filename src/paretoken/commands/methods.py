"""`paretoken methods`: compare a study's compression methods, as CSV, Markdown and LaTeX."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.methods import comparisons, method_scores
from paretoken.commands.result_arguments import add_result_arguments, results_of
from paretoken.io.files import write_text
from paretoken.io.text_tables import counted, latex_table
from paretoken.report.methods_table import methods_page, wide
from paretoken.study.contract import SCORE_COLUMNS
from paretoken.study.table_files import read_table, write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_result_arguments(parser)
    parser.add_argument("--scores", type=Path, required=True, help="tables/scores.csv of the study")
    written = parser.add_argument_group("files to write")
    written.add_argument("--out", type=Path, required=True, help="methods.csv to write: a row per score")
    written.add_argument(
        "--out-comparisons",
        type=Path,
        required=True,
        help="CSV to write: each method against the best one",
    )
    written.add_argument("--out-page", type=Path, required=True, help="Markdown page to write")
    written.add_argument("--out-latex", type=Path, required=True, help="LaTeX table to write")


def run(arguments: argparse.Namespace) -> None:
    """Compare the methods and write the tables and the page."""
    a = arguments
    results = results_of(a)
    scores = method_scores(results, read_table(a.scores, SCORE_COLUMNS))
    compared, table = comparisons(results), wide(results, scores)
    write_table(a.out, scores)
    write_table(a.out_comparisons, compared)
    write_text(a.out_page, methods_page(results, table, compared, scores))
    write_text(a.out_latex, latex_table(table))
    methods = counted(len(table), "method with a token count", "methods with a token count each")
    print(f"{methods}, {counted(len(compared), 'comparison')}")
