"""`paretoken recorded`: restore the recorded tables of a trained study."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.study_results import read_study
from paretoken.errors import UserError
from paretoken.io.files import write_text
from paretoken.study.grid import cells
from paretoken.study.recorded import require_cells

#: Tables that every record must have.
WRITTEN = ("errors", "scores", "costs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--record", type=Path, required=True, help="folder of recorded tables")
    parser.add_argument("--study-file", type=Path, required=True, help="study.json of the study")
    for name in WRITTEN:
        parser.add_argument(f"--out-{name}", type=Path, required=True, help=f"{name}.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Check that the tables match their record and the study, and write them."""
    study = read_study(arguments.study_file).study
    suites = [suite.name for suite in study.suites]
    record = require_cells(arguments.record, study.name, cells(study), suites)
    missing = [name for name in WRITTEN if name not in record.tables]
    if missing:
        raise UserError(
            f"{arguments.record} lacks the tables {', '.join(missing)}; record the study again"
        )
    for name in WRITTEN:
        text = (arguments.record / f"{name}.csv").read_text(encoding="utf-8")
        write_text(getattr(arguments, f"out_{name}"), text)
    print(f"tables of {record.study}, recorded on {record.date} from: {record.command}")
