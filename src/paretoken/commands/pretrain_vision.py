"""`paretoken pretrain-vision`: the miniature's vision encoder."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import assignment, whole
from paretoken.commands.miniature_data import add_world_arguments, read_world
from paretoken.commands.runtime import counter, limit_threads, quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--recipe", type=Path, default=Path("workflow/recipes/miniature_vision.yaml"),
                        help="how to train, a YAML file")  # fmt: skip
    parser.add_argument("--set", type=assignment, action="append", default=[], metavar="KEY=VALUE",
                        help="change the recipe: steps=100; may be repeated")  # fmt: skip
    add_world_arguments(parser)
    parser.add_argument("--seed", type=whole, default=0, help="of weights and training images")
    parser.add_argument("--threads", type=whole, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Train the encoder."""
    from paretoken.settings import read_settings
    from paretoken.train.sources.recipes import VisionRecipe

    a = arguments
    recipe = read_settings(a.recipe, VisionRecipe, "recipe of a vision encoder", a.set)
    world = read_world(a).world
    quiet()
    limit_threads(a.threads)
    from paretoken.train.sources.vision import pretrain_vision

    pretrain_vision(a.out, recipe, world, a.seed, a.world_seed, counter("vision"))
