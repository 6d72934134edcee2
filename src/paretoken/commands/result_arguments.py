"""The arguments by which figures, tables, claims and summary are given a study's files."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.study_results import StudyResults, read_results


def add_result_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of a study."""
    parser.add_argument("--study", type=Path, required=True, help="study.json")
    parser.add_argument("--errors", type=Path, required=True, help="tables/errors.csv")
    parser.add_argument(
        "--fits", type=Path, nargs="*", default=[], help="fits; each path ends in SUITE/VARIANT.json"
    )
    parser.add_argument("--values", type=Path, help="published values to compare with")
    parser.add_argument("--table1", type=Path, help="the paper's Table 1")


def results_of(arguments: argparse.Namespace) -> StudyResults:
    """Read the files that `add_result_arguments` declared."""
    a = arguments
    return read_results(a.study, a.errors, a.fits, a.values, a.table1)
