"""`paretoken recommend`: recommend a model size and a token count for a budget."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.recommend import recommend
from paretoken.analysis.recommend_words import in_words
from paretoken.analysis.study_results import study_of
from paretoken.commands.arguments import positive, text_tokens, whole
from paretoken.commands.cost_arguments import add_choice_of_models, add_cost_arguments, cost_of
from paretoken.errors import UserError
from paretoken.io.escape import terminal

#: Option of a budget in a fixed unit -> its placeholder, its cost model and its unit in words.
UNITS = {
    "budget_flops": ("FLOPS", "flops_2nt", "FLOPs per question"),
    "budget_ms": ("MS", "latency", "milliseconds until a question, or a batch, is answered"),
    "budget_gib": ("GIB", "memory", "GiB of memory"),
    "budget_j": ("J", "energy", "joules per question"),
}
#: All cost models whose unit is that of the option.
SAME_UNIT = {"budget_flops": ("flops_2nt", "flops_exact")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--fit", type=Path, required=True, help="fit.json of `paretoken fit`")
    spent = parser.add_argument_group("budget (one of them)")
    budget = spent.add_mutually_exclusive_group(required=True)
    budget.add_argument(
        "--budget", type=positive, help="most that a question may cost, in the unit of --cost"
    )
    for name, (metavar, model, text) in UNITS.items():
        budget.add_argument(
            f"--{name.replace('_', '-')}",
            type=positive,
            metavar=metavar,
            help=f"largest cost in {text}; without --cost, the cost model is {model}",
        )
    among = parser.add_argument_group("what is compared")
    add_choice_of_models(among)
    among.add_argument(
        "--text-tokens", type=text_tokens, required=True, metavar="Q", help="text tokens per question"
    )
    add_cost_arguments(parser, default=None)
    parser.add_argument("--runners-up", type=whole, default=3, help="how many to list")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text to read, or data for programs"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the recommendation."""
    a = arguments
    budget = _budget(a)
    fit = FittedLaw.read(a.fit)
    answer = recommend(
        fit,
        budget,
        a.text_tokens,
        a.params_b or fit.sizes,
        a.tokens or [v for v in fit.token_counts if v > 0],
        a.runners_up,
        cost_of(a),
        study_of(a.fit),
    )
    print(json.dumps(answer, indent=1) if a.format == "json" else terminal(in_words(answer)))


def _budget(arguments: argparse.Namespace) -> float:
    """Return the budget, and set the cost model of its unit if none was given."""
    a = arguments
    for name, (_, model, _) in UNITS.items():
        value = getattr(a, name)
        if value is None:
            continue
        a.cost = a.cost or model
        if a.cost not in SAME_UNIT.get(name, (model,)):
            raise UserError(
                f"--{name.replace('_', '-')} is not a budget of the cost model {a.cost}; give --budget "
                "with a number in that model's unit"
            )
        return float(value)
    a.cost = a.cost or "flops_2nt"
    return float(a.budget)
