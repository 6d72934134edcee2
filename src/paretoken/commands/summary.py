"""`paretoken summary`: write the summary page of a study."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.equal_cost import NEEDED
from paretoken.commands.result_arguments import add_result_arguments, results_of
from paretoken.io.files import write_text
from paretoken.io.versions import commit_words
from paretoken.registry import FIGURES
from paretoken.report.summary import summary
from paretoken.study.table_files import read_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_result_arguments(parser)
    parser.add_argument("--equal-cost", type=Path, help="tables/equal_cost.csv, of a study with laws")
    parser.add_argument("--sensitivity", type=Path, help="tables/sensitivity.csv, of a study with laws")
    parser.add_argument("--claims", type=Path, required=True, help="tables/claims.csv of the study")
    parser.add_argument(
        "--figures",
        nargs="*",
        default=[],
        choices=list(FIGURES),
        metavar="NAME",
        help=f"figures that the page shows: {', '.join(FIGURES)}",
    )
    parser.add_argument("--out", type=Path, required=True, help="summary.md to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the page."""
    a = arguments
    commit = commit_words(Path(__file__).parent)
    pairs = read_table(a.equal_cost, NEEDED, may_be_empty=True) if a.equal_cost else None
    columns = ["suite", "variant", "alpha_over_beta"]
    sensitivity = read_table(a.sensitivity, columns) if a.sensitivity else None
    claims = read_table(a.claims, ["statement", "verdict"], may_be_empty=True)
    write_text(a.out, summary(results_of(a), pairs, sensitivity, claims, a.figures, commit))
    print(f"summary: {a.out}")
