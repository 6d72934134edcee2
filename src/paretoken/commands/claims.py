"""`paretoken claims`: test the paper's claims."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.claims.ledger import ledger, page
from paretoken.commands.result_arguments import add_result_arguments, results_of
from paretoken.io.files import write_text
from paretoken.registry import CLAIMS
from paretoken.study.table_files import write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_result_arguments(parser)
    parser.add_argument(
        "--name",
        nargs="*",
        default=[],
        choices=list(CLAIMS),
        metavar="NAME",
        help=f"names of the claims to test: {', '.join(CLAIMS)}",
    )
    parser.add_argument("--out", type=Path, required=True, help="claims.csv to write")
    parser.add_argument("--out-page", type=Path, required=True, help="Markdown page to write")


def run(arguments: argparse.Namespace) -> None:
    """Test the claims, write table and page, and print the verdicts."""
    results = results_of(arguments)
    table = ledger(results, arguments.name)
    write_table(arguments.out, table)
    write_text(arguments.out_page, page(table, results.study.name))
    for _, row in table.iterrows():
        print(f"{row['verdict']}: {row['statement']}")
