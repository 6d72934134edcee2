"""`paretoken pretrain-vision`: the miniature's vision encoder."""

from __future__ import annotations

import argparse

from paretoken.commands.arguments import grid
from paretoken.commands.miniature_data import add_source_arguments, read_world
from paretoken.commands.runtime import counter, limit_threads, quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser, "miniature_vision.yaml", "steps=100", "weights and training images")
    parser.add_argument("--grid", type=grid, metavar="SIDE",
                        help="patches per side that the encoder must have")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Train the encoder."""
    from paretoken.data.miniature.world import PATCH, SIZE
    from paretoken.settings import read_settings
    from paretoken.train.sources.recipes import VisionRecipe

    a = arguments
    recipe = read_settings(a.recipe, VisionRecipe, "recipe of a vision encoder", a.set)
    world = read_world(a).world
    quiet()
    from paretoken.models.vision import require_grid

    require_grid(SIZE // PATCH, a.grid, "the miniature's encoder")
    limit_threads(a.threads)
    from paretoken.train.sources.vision import pretrain_vision

    pretrain_vision(a.out, recipe, world, a.seed, a.world_seed, counter("vision"))
