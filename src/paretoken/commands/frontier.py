"""`paretoken frontier`: the best configuration per budget."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from paretoken.analysis.crossovers import crossovers
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import configurations, frontier, undominated
from paretoken.analysis.numerical_optimum import middle, optimum_table
from paretoken.analysis.scenarios import scenarios
from paretoken.analysis.study_results import study_of
from paretoken.analysis.subject import in_words, subject
from paretoken.commands.arguments import demand_own_outputs, positive, size, some_tokens, text_tokens
from paretoken.commands.cost_arguments import add_cost_arguments, cost_of, deployment_of
from paretoken.io.escape import terminal
from paretoken.study.table_files import write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--fit", type=Path, required=True, help="fit.json")
    parser.add_argument("--n", type=size, nargs="+", help="sizes, billions; else the fit's")
    parser.add_argument("--v", type=some_tokens, nargs="+", help="visual tokens; else the fit's")
    parser.add_argument(
        "--q", type=text_tokens, nargs="+", default=[0, 50, 100], help="text tokens per question"
    )
    parser.add_argument(
        "--budgets",
        type=positive,
        nargs="+",
        help="per question, in the unit of --cost; else 25 from the cheapest to the dearest",
    )
    parser.add_argument("--out", type=Path, required=True, help="frontier.csv to write")
    parser.add_argument("--pareto", type=Path, help="also write all undominated configurations")
    parser.add_argument(
        "--crossovers", type=Path, help="also write where neighbouring sizes are equally good"
    )
    parser.add_argument(
        "--by-cost", type=Path, help="also write the best V per size and way to count, at the middle Q"
    )
    add_cost_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write the tables and print the undominated configurations."""
    a = arguments
    demand_own_outputs([a.out, a.pareto, a.crossovers, a.by_cost], [a.fit, a.shapes, a.latency])
    fit = FittedLaw.read(a.fit)
    sizes, tokens = a.n or fit.sizes, a.v or [v for v in fit.token_counts if v > 0]
    questions, cost = list(dict.fromkeys(a.q)), cost_of(a)
    table = frontier(fit, sizes, tokens, questions, a.budgets, cost)
    pareto = pd.concat(
        [undominated(configurations(fit, sizes, tokens, Q, cost)) for Q in questions],
        ignore_index=True,
    )
    write_table(a.out, table)
    if a.pareto:
        write_table(a.pareto, pareto)
    if a.crossovers:
        write_table(a.crossovers, crossovers(fit, sizes, tokens, questions, cost))
    if a.by_cost:
        ways = scenarios(deployment_of(a))
        asked = middle(questions)
        best = optimum_table(fit, ways, fit.fitted_sizes, [] if asked is None else [asked])
        write_table(a.by_cost, best)
    left_out = f"; left out: {cost.model.leaves_out}" if cost.model.leaves_out else ""
    print(terminal(f"Cost: {cost.words} ({cost.model.unit}){left_out}."))
    for shown, group in pareto.groupby("text_tokens"):
        print(f"Undominated at Q = {shown:g}:")
        rows = group.drop(columns="text_tokens")
        print(rows.to_string(index=False, float_format="{:.5g}".format, na_rep="-"))
    law = f"By the {fit.law.name} law{fit.law.constraints.in_words()}."
    mind = [f"Mind: {each}" for each in fit.record.get("cautions", [])]
    print(terminal("\n".join([in_words(subject(fit, study_of(a.fit))), law, *mind])))
    infeasible = int((table["status"] == "infeasible").sum())
    if infeasible:
        print(f"{infeasible} budgets are below the cheapest configuration; their rows say so.")
