"""`paretoken tables`: means, equal-cost pairs, fits, predictions and sensitivity as tables."""

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
    parser.add_argument("--measured", type=Path, help="where the cells come from")
    parser.add_argument("--dimensions", type=Path, help="exact parameter counts by llm")
    for name, text in (
        ("cells", "errors averaged over seeds, with both kinds of noise"),
        ("equal-cost", "sizes compared at equal cost, without a law"),
        ("fit-table", "all fits, a row each"),
        ("published-table", "published against fitted parameters"),
        ("predictions", "errors of sizes that the fit did not see"),
        ("sensitivity", "the fit under other choices"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"CSV to write: {text}")


def run(arguments: argparse.Namespace) -> None:
    """Compute and write the tables."""
    a = arguments
    results = results_of(a)
    write_table(a.cells, suite_means(results.errors))
    write_table(a.equal_cost, comparisons(results))
    write_table(a.fit_table, fit_table(results))
    write_table(a.published_table, published_table(results))
    write_table(a.predictions, predictions(results))
    write_table(a.sensitivity, sensitivity(results, a.measured, a.dimensions))
