"""`paretoken tables`: write means, equal-cost pairs, fits, predictions and sensitivity as CSV."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.cell_means import suite_means
from paretoken.analysis.comparison import fit_table, predictions, published_table
from paretoken.analysis.equal_cost import comparisons
from paretoken.analysis.sensitivity import sensitivity
from paretoken.commands.result_arguments import add_result_arguments, results_of
from paretoken.study.table_files import write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_result_arguments(parser)
    parser.add_argument("--measured", type=Path, help="CSV of measured errors that the cells are from")
    parser.add_argument("--dimensions", type=Path, help="table of exact parameter counts by llm")
    written = parser.add_argument_group("files to write")
    for name, text in (
        ("cells", "errors averaged over seeds, with both kinds of noise"),
        ("equal-cost", "sizes compared at equal cost, without a law"),
        ("fits", "all fits, one row each"),
        ("published", "published and fitted parameters"),
        ("predictions", "predicted errors of sizes that the law was not fitted to"),
        ("sensitivity", "the fit under other choices"),
    ):
        written.add_argument(f"--out-{name}", type=Path, required=True, help=f"CSV to write: {text}")


def run(arguments: argparse.Namespace) -> None:
    """Compute and write the tables."""
    a = arguments
    results = results_of(a)
    write_table(a.out_cells, suite_means(results.errors))
    write_table(a.out_equal_cost, comparisons(results))
    write_table(a.out_fits, fit_table(results))
    write_table(a.out_published, published_table(results))
    write_table(a.out_predictions, predictions(results))
    write_table(a.out_sensitivity, sensitivity(results, a.measured, a.dimensions))
