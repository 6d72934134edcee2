"""`paretoken plan`: estimate the cost of a study before it runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from paretoken.commands.arguments import not_negative, positive, utilisation
from paretoken.config.config import load
from paretoken.config.devices import BY_NAME
from paretoken.io.escape import terminal
from paretoken.io.files import write_text
from paretoken.plan.plan_pages import as_csv, as_json, as_text
from paretoken.plan.study_plan import Plan, plan_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--study",
        required=True,
        metavar="NAME",
        help="name of the study in the config, which must train models",
    )
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="the config file")
    parser.add_argument(
        "--devices",
        nargs="+",
        choices=list(BY_NAME),
        metavar="DEVICE",
        help=f"kinds of GPU, else the config's: {', '.join(BY_NAME)}",
    )
    parser.add_argument(
        "--utilisation",
        type=utilisation,
        help="share of the GPU's peak that model FLOPs reach; else a default per stage, "
        "corrected by finished stages",
    )
    parser.add_argument(
        "--price-per-hour", type=positive, help="price of one hour of a GPU, in any currency"
    )
    parser.add_argument(
        "--budget-gpu-hours",
        type=not_negative,
        help="exit with code 1 if the study needs more; else the study's own budget",
    )
    parser.add_argument(
        "--format",
        choices=("text", "csv", "json"),
        default="text",
        help="text to read, or data for programs",
    )
    parser.add_argument("--out", type=Path, help="file to write; else the terminal")


def run(arguments: argparse.Namespace) -> int:
    """Write the plan; return 1 if a plan is over its budget."""
    a = arguments
    config = load(a.config)
    study = config.study(a.study)
    plans = [
        plan_study(config, study, BY_NAME[name], a.utilisation, a.price_per_hour, a.budget_gpu_hours)
        for name in dict.fromkeys(a.devices or [config.device])
    ]
    text = _text(plans, a.format)
    if a.out:
        write_text(a.out, text)
    else:
        sys.stdout.write(terminal(text))
    over = [plan for plan in plans if plan.over_budget]
    for plan in over:
        print(
            f"paretoken plan: {plan.study} needs {plan.gpu_hours:,.0f} GPU-hours on {plan.device.name}, "
            f"more than its budget of {plan.budget:,.0f}",
            file=sys.stderr,
        )
    return int(bool(over))


def _text(plans: list[Plan], how: str) -> str:
    if how == "csv":
        return as_csv(plans)
    return as_json(plans) if how == "json" else "\n".join(as_text(plan) for plan in plans)
