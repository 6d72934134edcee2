"""The arguments for a study's files, shared by figures, tables, claims, summary and report."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.analysis.study_results import StudyResults, read_results


def add_result_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of a study."""
    study = parser.add_argument_group("files of the study")
    study.add_argument("--study-file", type=Path, required=True, help="study.json of the study")
    study.add_argument("--errors", type=Path, required=True, help="tables/errors.csv of the study")
    study.add_argument(
        "--fits", type=Path, nargs="*", default=[], help="its fits; each path ends in SUITE/VARIANT.json"
    )
    study.add_argument("--values", type=Path, help="published values to compare with")
    study.add_argument("--table1", type=Path, help="the paper's Table 1")


def results_of(arguments: argparse.Namespace) -> StudyResults:
    """Read the files that `add_result_arguments` declared."""
    a = arguments
    return read_results(a.study_file, a.errors, a.fits, a.values, a.table1)
