"""`paretoken pretrain-llm`: train one of the miniature's language models."""

from __future__ import annotations

import argparse

from paretoken.commands.arguments import width
from paretoken.commands.runtime import counter, limit_threads, quiet
from paretoken.commands.world import add_source_arguments, read_world


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--width", type=width, required=True, help="hidden size")
    add_source_arguments(parser, "miniature_llm.yaml", "direct.rows=100", "weights and text")


def run(arguments: argparse.Namespace) -> None:
    """Train the language model."""
    from paretoken.config.settings import read_settings
    from paretoken.train.sources.source_recipes import LlmRecipe

    a = arguments
    recipe = read_settings(a.recipe, LlmRecipe, "recipe of a language model", a.set)
    recipe.heads(a.width)  # reject an invalid width before the slow imports
    world = read_world(a).world
    quiet()
    limit_threads(a.threads)
    from paretoken.train.sources.llm import pretrain_llm

    pretrain_llm(a.out, recipe, world, a.width, a.seed, a.world_seed, counter(f"llm {a.width}"))
