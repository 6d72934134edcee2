"""`paretoken recommend`: what to deploy under a budget, in words."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.recommend import in_words, recommend
from paretoken.commands.arguments import not_negative, positive, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--fit", type=Path, required=True, help="fit.json")
    parser.add_argument("--flops", type=positive, required=True, help="FLOPs per question")
    parser.add_argument(
        "--text-tokens", type=not_negative, required=True, metavar="Q", help="text tokens per question"
    )
    parser.add_argument("--n", type=positive, nargs="+", help="sizes, billions; else the fit's")
    parser.add_argument("--v", type=positive, nargs="+", help="visual tokens; else the fit's")
    parser.add_argument("--runners-up", type=whole, default=3, help="how many to list")
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")


def run(arguments: argparse.Namespace) -> None:
    """Print the recommendation."""
    fit = FittedLaw.read(arguments.fit)
    answer = recommend(
        fit,
        arguments.flops,
        arguments.text_tokens,
        arguments.n or fit.sizes,
        arguments.v or [v for v in fit.token_counts if v > 0],
        arguments.runners_up,
    )
    print(json.dumps(answer, indent=1) if arguments.json else in_words(answer))
