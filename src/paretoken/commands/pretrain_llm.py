"""`paretoken pretrain-llm`: one of the miniature's language models."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import assignment, whole
from paretoken.commands.miniature_data import add_world_arguments, read_world
from paretoken.commands.runtime import counter, limit_threads, quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--width", type=whole, required=True, help="hidden size")
    parser.add_argument("--recipe", type=Path, default=Path("workflow/recipes/miniature_llm.yaml"),
                        help="how to train, a YAML file")  # fmt: skip
    parser.add_argument("--set", type=assignment, action="append", default=[], metavar="KEY=VALUE",
                        help="change the recipe: direct.rows=100; may be repeated")  # fmt: skip
    add_world_arguments(parser)
    parser.add_argument("--seed", type=whole, default=0, help="of weights and text")
    parser.add_argument("--threads", type=whole, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Train the language model."""
    from paretoken.settings import read_settings
    from paretoken.train.sources.recipes import LlmRecipe

    a = arguments
    recipe = read_settings(a.recipe, LlmRecipe, "recipe of a language model", a.set)
    recipe.heads(a.width)  # a width that cannot be is refused before the slow imports
    world = read_world(a).world
    quiet()
    limit_threads(a.threads)
    from paretoken.train.sources.llm import pretrain_llm

    pretrain_llm(a.out, recipe, world, a.width, a.seed, a.world_seed, counter(f"llm {a.width}"))
