"""The arguments that define the cost of an answer."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from paretoken.commands.arguments import Group, answer_tokens, batch, positive, size, some_tokens
from paretoken.costs.models.base import Cost
from paretoken.costs.models.deployment import Deployment, read_shapes
from paretoken.costs.models.latency_table import read_latency
from paretoken.registry import COST_MODELS


def add_cost_arguments(parser: argparse.ArgumentParser, default: str | None = "flops_2nt") -> None:
    """Declare the cost model and the deployment."""
    costs = parser.add_argument_group("costs")
    costs.add_argument(
        "--cost", choices=list(COST_MODELS), default=default, help="cost model: what is counted"
    )
    add_deployment_files(costs)
    costs.add_argument(
        "--answer-tokens",
        type=answer_tokens,
        metavar="TOKENS",
        help="tokens of an answer; without it, costs include only the first one",
    )
    costs.add_argument("--batch", type=batch, default=1, help="questions at a time")
    costs.add_argument(
        "--no-encoder",
        action="store_true",
        help="images are encoded in advance: leave out the vision encoder",
    )
    costs.add_argument("--cached-text", action="store_true", help="text tokens are cached already")


def add_choice_of_models(parser: Group) -> None:
    """Declare which sizes and token counts are compared."""
    parser.add_argument(
        "--params-b",
        type=size,
        nargs="+",
        metavar="N",
        help="sizes, billions of parameters; without it those of the fit",
    )
    parser.add_argument(
        "--tokens",
        type=some_tokens,
        nargs="+",
        metavar="V",
        help="visual tokens per image; without it those of the fit",
    )


def add_deployment_files(parser: Group) -> None:
    """Declare the files and the price that costs are computed from."""
    parser.add_argument("--shapes", type=Path, help="shapes.json of `paretoken shapes`: dimensions")
    parser.add_argument(
        "--latency", type=Path, help="table of `paretoken latency`, or a study's tables/costs.csv"
    )
    parser.add_argument(
        "--price-per-hour", type=positive, help="price of one hour of the device, in any currency"
    )


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
        UserError: a file is missing or invalid, or the cost model requires or does not support an
            argument.
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
