"""`paretoken shapes`: write the dimensions of models, from which costs are computed."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import size
from paretoken.config.settings import checked
from paretoken.config.study import FrozenStudy
from paretoken.costs.models.deployment import write_shapes
from paretoken.io.escape import terminal
from paretoken.io.files import read_json
from paretoken.plan.study_shapes import guessed_shapes, study_shapes
from paretoken.registry import COMPRESSORS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--study-file", type=Path, help="study.json of the study")
    source.add_argument(
        "--params-b",
        type=size,
        nargs="+",
        metavar="N",
        help="or: sizes, billions of parameters, whose dimensions are guessed",
    )
    parser.add_argument(
        "--compressor",
        choices=list(COMPRESSORS),
        default="tokenpacker",
        metavar="NAME",
        help=f"with --params-b: name of the compressor, one of {', '.join(COMPRESSORS)}",
    )
    parser.add_argument("--out", type=Path, required=True, help="shapes.json to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the dimensions and print their origin."""
    a = arguments
    if a.params_b:
        shapes = guessed_shapes(a.params_b, a.compressor)
    else:
        complaint = f"{a.study_file} is not a study of this version; make it with `paretoken study`"
        shapes = study_shapes(checked(read_json(a.study_file), FrozenStudy, complaint))
    write_shapes(a.out, shapes)
    for llm in shapes.by_size:
        words = f"{llm.name}: {llm.params_b:g}B, {llm.parameters:,} parameters; {llm.origin}"
        print(terminal(words))
