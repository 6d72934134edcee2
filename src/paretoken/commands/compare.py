"""`paretoken compare`: the parameters of several studies side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from paretoken.analysis.compare import estimate_text, read_studies, side_by_side, verdicts
from paretoken.errors import UserError
from paretoken.io.escape import terminal
from paretoken.io.text_tables import MISSING, aligned
from paretoken.registry import LAWS
from paretoken.study.table_files import write_table

FORMATS = (".png", ".pdf", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "studies",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="folders of finished studies, such as results/published",
    )
    parser.add_argument(
        "--law", choices=list(LAWS), help="scaling law; without it each study's headline law"
    )
    parser.add_argument("--out", type=Path, help="CSV to write: a row per parameter and study")
    parser.add_argument(
        "--out-figure", type=Path, nargs="+", default=[], help="figures to write: .png, .pdf or .svg"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the comparison, and write it as a table and as figures."""
    a = arguments
    for path in a.out_figure:
        if path.suffix not in FORMATS:
            raise UserError(f"{path}: unsupported file format; write one of {', '.join(FORMATS)}")
    studies = read_studies(a.studies)
    table = side_by_side(studies, a.law)
    if a.out:
        write_table(a.out, table)
    if a.out_figure:
        from paretoken.figures.studies import save

        save(table, a.out_figure)
    print(terminal(_page(table)))
    print(terminal("\n".join(verdicts(studies, a.law))))


def _page(table: pd.DataFrame) -> str:
    studies = list(dict.fromkeys(table["study"]))
    rows = []
    for (role, name), found in table.groupby(["role", "parameter"], sort=False):
        cells = []
        for study in studies:
            own = found[found["study"] == study]
            texts = [estimate_text(r["estimate"], r["low"], r["high"]) for _, r in own.iterrows()]
            cells.append("; ".join(texts) or MISSING)
        rows.append([str(role), str(name), *cells])
    return aligned(["role", "parameter", *studies], rows, [False] * (2 + len(studies)))
