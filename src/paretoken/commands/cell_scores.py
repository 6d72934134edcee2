"""`paretoken cell-scores`: one cell of a trained study, from the scores of its benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.cell_arguments import add_cell_arguments, cell_named
from paretoken.commands.shared_arguments import add_suite_benchmarks
from paretoken.study.contract import SCORE_COLUMNS
from paretoken.study.measured import write_cell
from paretoken.study.scored import error_rows, read_scores, score_rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_cell_arguments(parser)
    parser.add_argument(
        "--score-files",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="score files of `paretoken score`: BENCHMARK.json",
    )
    add_suite_benchmarks(parser)
    parser.add_argument("--out-scores", type=Path, required=True, help="scores.csv to write")
    parser.add_argument("--out", type=Path, required=True, help="errors.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Average the scores suite by suite, and write both tables."""
    a = arguments
    cell = cell_named(a)
    scores = read_scores(a.score_files)
    suites = {suite: benchmarks.split(",") for suite, benchmarks in a.suite_benchmarks}
    errors = error_rows(a.study, cell, a.params_b, suites, scores)
    used = dict.fromkeys(name for names in suites.values() for name in names)
    shown = {name: scores[name] for name in used}  # a benchmark may have parts that no suite averages
    write_cell(a.out_scores, score_rows(a.study, cell, a.params_b, shown), SCORE_COLUMNS)
    write_cell(a.out, errors)
