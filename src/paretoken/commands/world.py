"""`paretoken world`: generate the miniature's images, training sets and questions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretoken.commands.arguments import seed, threads
from paretoken.commands.shared_arguments import add_changes
from paretoken.io.text_tables import counted

if TYPE_CHECKING:
    from paretoken.world.world_settings import MiniatureSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_world_arguments(parser)
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="S", help="random seed of images and questions"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def add_world_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the description of the world, and changes of single settings."""
    parser.add_argument(
        "--world",
        type=Path,
        default=Path("workflow/recipes/miniature_world.yaml"),
        help="description of the world and its data sets, a YAML file",
    )
    parser.add_argument(
        "--world-seed", type=seed, default=0, metavar="S", help="random seed of icons and facts"
    )
    add_changes(parser, "--set-world", "the world: train_images.count=100")


def add_source_arguments(parser: argparse.ArgumentParser, recipe: str, example: str, seeds: str) -> None:
    """Declare the arguments for training a source.

    Args:
        parser: the parser of the command.
        recipe: file name of the default recipe.
        example: an example of ``--set``, for its help.
        seeds: what ``--seed`` determines, for its help.
    """
    parser.add_argument(
        "--recipe",
        type=Path,
        default=Path("workflow/recipes") / recipe,
        help="how to train, a YAML file",
    )
    add_changes(parser, "--set", f"the recipe: {example}")
    add_world_arguments(parser)
    parser.add_argument("--seed", type=seed, default=0, metavar="S", help=f"random seed of {seeds}")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def read_world(arguments: argparse.Namespace) -> MiniatureSettings:
    """Return the world that the arguments describe; raise `UserError` if the file is invalid."""
    from paretoken.config.settings import read_settings
    from paretoken.world.world_settings import MiniatureSettings

    a = arguments
    return read_settings(a.world, MiniatureSettings, "description of a world", a.set_world)


def run(arguments: argparse.Namespace) -> None:
    """Generate and write the data sets."""
    from paretoken.io.finished import already_done
    from paretoken.world.write import data_key, write_miniature

    a = arguments
    settings = read_world(a)
    if already_done(a.out, data_key(settings, a.seed, a.world_seed)):
        return
    record = write_miniature(a.out, settings, a.seed, a.world_seed)
    print(f"{a.out}: {counted(len(record['sha256']), 'data set')}")
