"""`paretoken cell`: one cell of a study whose errors were measured elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import seed, size, tokens
from paretoken.study.grid import Cell
from paretoken.study.measured import measured_cell, write_cell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study", required=True, help="name of the study")
    parser.add_argument("--measured", type=Path, required=True, help="table of measurements")
    parser.add_argument("--suites", nargs="+", required=True, help="suites to take")
    parser.add_argument("--llm", required=True, help="name of the language model")
    parser.add_argument("--params-b", type=size, required=True, help="its size, billions")
    parser.add_argument("--compressor", required=True, help="name of the compressor")
    parser.add_argument("--tokens", type=tokens, required=True, help="visual tokens")
    parser.add_argument("--seed", type=seed, required=True, help="seed of the cell")
    parser.add_argument("--out", type=Path, required=True, help="errors.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Pick the cell's rows and write them."""
    a = arguments
    cell = Cell(a.llm, a.compressor, a.tokens, a.seed)
    rows = measured_cell(a.measured, a.study, cell, a.params_b, a.suites)
    write_cell(a.out, rows)
