"""`paretoken report`: write the report of a study as one HTML file."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from paretoken.analysis.equal_cost import NEEDED
from paretoken.commands.cost_arguments import add_deployment_files, deployment_of
from paretoken.commands.result_arguments import add_result_arguments, results_of
from paretoken.costs.models.base import Cost
from paretoken.costs.models.flops import FLOPS_2NT
from paretoken.io.files import write_text
from paretoken.io.versions import commit_words
from paretoken.registry import FIGURES
from paretoken.report.page import Page, render
from paretoken.report.provenance import read_runs, recorded_facts, training_facts
from paretoken.study.table_files import read_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_result_arguments(parser)
    parser.add_argument("--claims", type=Path, required=True, help="tables/claims.csv of the study")
    parser.add_argument("--equal-cost", type=Path, help="tables/equal_cost.csv, of a study with laws")
    parser.add_argument(
        "--figure-files",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="PNG files of figures, named like the figures of `paretoken figure --name`",
    )
    parser.add_argument(
        "--cells",
        type=Path,
        nargs="*",
        default=[],
        help="folder of each cell that was trained, for the cost of training",
    )
    parser.add_argument("--record", type=Path, help="folder of recorded tables")
    add_deployment_files(parser.add_argument_group("costs"))
    parser.add_argument("--out", type=Path, required=True, help="report.html to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the page."""
    a = arguments
    for path in a.figure_files:
        FIGURES.check(path.stem)
    columns = ["statement", "verdict", "because", "value", "low", "high"]
    page = Page(
        results=replace(results_of(a), cost=Cost(FLOPS_2NT, deployment_of(a))),
        claims=read_table(a.claims, columns, may_be_empty=True),
        pairs=read_table(a.equal_cost, NEEDED, may_be_empty=True) if a.equal_cost else None,
        figures=a.figure_files,
        training=training_facts(read_runs(a.cells)) if a.record is None else recorded_facts(a.record),
        folder=str(a.study_file.parent),
        commit=commit_words(Path(__file__).parent),
        files=[
            word
            for name in ("shapes", "latency")
            if getattr(a, name) is not None
            for word in (f"--{name}", str(getattr(a, name)))
        ],
    )
    write_text(a.out, render(page))
    print(f"report: {a.out}")
