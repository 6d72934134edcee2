"""Options that several commands declare in the same words."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import assignment


def add_changes(parser: argparse.ArgumentParser, option: str, what: str) -> None:
    """Declare an option that changes settings, for example ``--set``.

    Args:
        parser: the parser of the command.
        option: the name of the option.
        what: the settings with an example, for its help.
    """
    parser.add_argument(
        option,
        type=assignment,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=f"change {what}; may be repeated",
    )


def add_model_argument(parser: argparse._ActionsContainer) -> None:
    """Declare the trained model that a command asks."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        help="folder `model` that `paretoken train --stage finetune` wrote",
    )


def add_suite_benchmarks(parser: argparse._ActionsContainer) -> None:
    """Declare which benchmarks each suite averages."""
    parser.add_argument(
        "--suite-benchmarks",
        type=assignment,
        nargs="+",
        required=True,
        metavar="SUITE=BENCHMARK,...",
        help="benchmarks that each suite averages",
    )
