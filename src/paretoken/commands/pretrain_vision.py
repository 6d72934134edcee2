"""`paretoken pretrain-vision`: train the miniature's vision encoder."""

from __future__ import annotations

import argparse

from paretoken.commands.arguments import grid
from paretoken.commands.runtime import counter, limit_threads, quiet
from paretoken.commands.world import add_source_arguments, read_world


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser, "miniature_vision.yaml", "steps=100", "weights and training images")
    parser.add_argument(
        "--grid", type=grid, metavar="SIDE", help="patches per side that the encoder must have"
    )


def run(arguments: argparse.Namespace) -> None:
    """Train the encoder."""
    from paretoken.config.settings import read_settings
    from paretoken.train.sources.source_recipes import VisionRecipe
    from paretoken.world.facts import PATCH, SIZE

    a = arguments
    recipe = read_settings(a.recipe, VisionRecipe, "recipe of a vision encoder", a.set)
    world = read_world(a).world
    quiet()
    from paretoken.models.vision import require_grid

    require_grid(SIZE // PATCH, a.grid, "the miniature's encoder")
    limit_threads(a.threads)
    from paretoken.train.sources.encoder import pretrain_vision

    pretrain_vision(a.out, recipe, world, a.seed, a.world_seed, counter("vision"))
