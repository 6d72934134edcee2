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
from paretoken.commands.arguments import positive, require_own_outputs, text_tokens
from paretoken.commands.cost_arguments import (
    add_choice_of_models,
    add_cost_arguments,
    cost_of,
    deployment_of,
)
from paretoken.io.escape import terminal
from paretoken.io.text_tables import counted
from paretoken.study.table_files import write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--fit", type=Path, required=True, help="fit.json of `paretoken fit`")
    among = parser.add_argument_group("what is compared")
    add_choice_of_models(among)
    among.add_argument(
        "--text-tokens",
        type=text_tokens,
        nargs="+",
        default=[0, 50, 100],
        metavar="Q",
        help="text tokens per question",
    )
    among.add_argument(
        "--budget",
        type=positive,
        nargs="+",
        help="most that a question may cost, in the unit of --cost; without it 25 "
        "budgets from the cheapest to the most expensive configuration",
    )
    add_cost_arguments(parser)
    written = parser.add_argument_group("files to write")
    written.add_argument("--out", type=Path, required=True, help="frontier.csv to write")
    written.add_argument("--out-pareto", type=Path, help="CSV to write: all undominated configurations")
    written.add_argument(
        "--out-crossovers", type=Path, help="CSV to write: where neighbouring sizes are equally good"
    )
    written.add_argument(
        "--out-by-cost",
        type=Path,
        help="CSV to write: the best V per size and cost model, at the middle Q",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the tables and print the undominated configurations."""
    a = arguments
    require_own_outputs(
        [a.out, a.out_pareto, a.out_crossovers, a.out_by_cost], [a.fit, a.shapes, a.latency]
    )
    fit = FittedLaw.read(a.fit)
    sizes, tokens = a.params_b or fit.sizes, a.tokens or [v for v in fit.token_counts if v > 0]
    questions, cost = list(dict.fromkeys(a.text_tokens)), cost_of(a)
    table = frontier(fit, sizes, tokens, questions, a.budget, cost)
    pareto = pd.concat(
        [undominated(configurations(fit, sizes, tokens, Q, cost)) for Q in questions],
        ignore_index=True,
    )
    write_table(a.out, table)
    if a.out_pareto:
        write_table(a.out_pareto, pareto)
    if a.out_crossovers:
        write_table(a.out_crossovers, crossovers(fit, sizes, tokens, questions, cost))
    if a.out_by_cost:
        ways = scenarios(deployment_of(a))
        middle_q = middle(questions)
        best = optimum_table(fit, ways, fit.fitted_sizes, [] if middle_q is None else [middle_q])
        write_table(a.out_by_cost, best)
    left_out = f"; left out: {cost.model.leaves_out}" if cost.model.leaves_out else ""
    print(terminal(f"Cost: {cost.words} ({cost.model.unit}){left_out}."))
    for shown, group in pareto.groupby("text_tokens"):
        print(f"Undominated at Q = {shown:g}:")
        rows = group.drop(columns="text_tokens")
        print(rows.to_string(index=False, float_format="{:.5g}".format, na_rep="-"))
    law = f"By the {fit.law.name} law{fit.law.constraints.in_words()}."
    cautions = [f"Caution: {each}" for each in fit.record.get("cautions", [])]
    print(terminal("\n".join([in_words(subject(fit, study_of(a.fit))), law, *cautions])))
    infeasible = int((table["status"] == "infeasible").sum())
    if infeasible:
        print(
            f"{counted(infeasible, 'budget is', 'budgets are')} below the cost of the cheapest "
            "configuration; the table says infeasible."
        )
