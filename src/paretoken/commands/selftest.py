"""`paretoken selftest`: check that the fitter recovers known laws and the published fits."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.selftest import checks
from paretoken.commands.arguments import repeats
from paretoken.errors import UserError
from paretoken.io.text_tables import counted

PUBLISHED = Path("workflow/reference/published_errors.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--published",
        type=Path,
        help=f"table of the published errors; by default {PUBLISHED} if it exists",
    )
    parser.add_argument(
        "--datasets", type=repeats, default=100, help="noisy data sets from which coverage is estimated"
    )


def run(arguments: argparse.Namespace) -> None:
    """Run and print every check; a failed one is an error."""
    published = arguments.published or (PUBLISHED if PUBLISHED.is_file() else None)
    if published is None:
        print(f"skipped: the published fits ({PUBLISHED} was not found; give --published)")
    failed = 0
    for check in checks(published, arguments.datasets):
        print(f"{'ok    ' if check.passed else 'FAILED'}  {check.name}: {check.detail}")
        failed += not check.passed
    if failed:
        raise UserError(
            f"{counted(failed, 'check')} failed; please report this with the output of "
            "`paretoken --version`"
        )
