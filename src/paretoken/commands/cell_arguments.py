"""The arguments that say which cell of a study a command is about."""

from __future__ import annotations

import argparse

from paretoken.commands.arguments import seed, size, tokens
from paretoken.study.grid import Cell


def add_cell_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the cell."""
    parser.add_argument("--llm", required=True, help="name of the language model")
    parser.add_argument("--params-b", type=size, required=True, help="its size, billions")
    parser.add_argument("--compressor", required=True, help="name of the compressor")
    parser.add_argument("--tokens", type=tokens, required=True, help="visual tokens")
    parser.add_argument("--seed", type=seed, required=True, help="seed of the cell")


def cell_of(arguments: argparse.Namespace) -> Cell:
    """Return the cell that the arguments of `add_cell_arguments` describe."""
    return Cell(arguments.llm, arguments.compressor, arguments.tokens, arguments.seed)
