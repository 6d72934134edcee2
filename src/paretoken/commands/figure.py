"""`paretoken figure`: draw one figure of a study."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from paretoken.commands.cost_arguments import add_cost_arguments, cost_of
from paretoken.commands.result_arguments import add_result_arguments, results_of
from paretoken.costs.models.flops import FLOPS_2NT
from paretoken.errors import UserError
from paretoken.figures.base import Figure, save
from paretoken.registry import FIGURES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--name",
        choices=list(FIGURES),
        required=True,
        metavar="NAME",
        help=f"name of the figure to draw: {', '.join(FIGURES)}",
    )
    add_result_arguments(parser)
    add_cost_arguments(parser)
    parser.add_argument(
        "--out", type=Path, nargs="+", required=True, help="figures to write: .png, .pdf or .svg"
    )


def run(arguments: argparse.Namespace) -> None:
    """Draw and write the figure."""
    figure: Figure = FIGURES.load(arguments.name)
    cost = cost_of(arguments)
    another = cost.model != FLOPS_2NT or cost.deployment.cached_text
    if another and not figure.shows_cost:
        raise UserError(f"figure {figure.name} has no cost axis; leave out --cost and --cached-text")
    save(figure, replace(results_of(arguments), cost=cost), arguments.out)
