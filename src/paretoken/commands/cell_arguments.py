"""The arguments that identify one cell of a study's grid."""

from __future__ import annotations

import argparse

from paretoken.commands.arguments import seed, size, tokens
from paretoken.study.grid import Cell


def add_cell_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that identify a cell."""
    cell = parser.add_argument_group("cell of the study's grid")
    cell.add_argument("--study", required=True, metavar="NAME", help="name of the study in the config")
    cell.add_argument("--llm-name", required=True, metavar="NAME", help="name of the language model")
    cell.add_argument(
        "--params-b", type=size, required=True, metavar="N", help="its size, billions of parameters"
    )
    cell.add_argument("--compressor", required=True, metavar="NAME", help="name of the compressor")
    cell.add_argument(
        "--tokens", type=tokens, required=True, metavar="V", help="visual tokens per image"
    )
    cell.add_argument("--seed", type=seed, required=True, metavar="S", help="random seed of the cell")


def cell_named(arguments: argparse.Namespace) -> Cell:
    """Return the cell given by the arguments of `add_cell_arguments`."""
    a = arguments
    return Cell(a.llm_name, a.compressor, a.tokens, a.seed)
