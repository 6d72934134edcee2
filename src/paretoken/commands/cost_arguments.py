"""The arguments by which a command is told what an answer costs."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from paretoken.commands.arguments import answer_tokens, batch, positive
from paretoken.costs.models.base import Cost
from paretoken.costs.models.deployment import Deployment, read_shapes
from paretoken.costs.models.latency_table import read_latency
from paretoken.registry import COST_MODELS


def add_cost_arguments(parser: argparse.ArgumentParser, default: str | None = "flops_2nt") -> None:
    """Declare the cost model and how models are run."""
    parser.add_argument("--cost", choices=list(COST_MODELS), default=default, help="what is counted")
    add_deployment_files(parser)
    parser.add_argument("--answer-tokens", type=answer_tokens, metavar="TOKENS",
                        help="length of an answer; else up to its first token")  # fmt: skip
    parser.add_argument("--batch", type=batch, default=1, help="questions answered at once")
    parser.add_argument("--no-encoder", action="store_true",
                        help="images are stored encoded: leave the vision encoder out")  # fmt: skip
    parser.add_argument("--cached-text", action="store_true",
                        help="text tokens are in the cache already")  # fmt: skip


def add_deployment_files(parser: argparse.ArgumentParser) -> None:
    """Declare what costs are computed from."""
    parser.add_argument("--shapes", type=Path, help="shapes.json: the models' dimensions")
    parser.add_argument("--latency", type=Path,
                        help="table of `paretoken latency`, or a study's tables/costs.csv")  # fmt: skip
    parser.add_argument("--price-per-hour", type=positive, help="of the device, any currency")


def deployment_of(arguments: argparse.Namespace) -> Deployment:
    """Read the files that `add_deployment_files` declared."""
    a = arguments
    return Deployment(
        shapes=None if a.shapes is None else read_shapes(a.shapes),
        latency=None if a.latency is None else read_latency(a.latency),
        price_per_hour=a.price_per_hour,
    )


def cost_of(arguments: argparse.Namespace) -> Cost:
    """Return the cost that the arguments of `add_cost_arguments` describe.

    Raises:
        UserError: a file is missing or malformed, or the model needs or refuses something.
    """
    a = arguments
    deployment = replace(
        deployment_of(a),
        answer_tokens=a.answer_tokens,
        batch=a.batch,
        encoder=not a.no_encoder,
        cached_text=a.cached_text,
    )
    return Cost(COST_MODELS.load(a.cost), deployment)
