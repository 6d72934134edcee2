"""`paretoken world`: the generated images, training sets and test suites."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretoken.commands.arguments import assignment, seed, threads

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
    """Declare which world it is, and how single settings are changed."""
    parser.add_argument(
        "--world",
        type=Path,
        default=Path("workflow/recipes/miniature_world.yaml"),
        help="the world and its data sets, a YAML file",
    )
    parser.add_argument(
        "--world-seed", type=seed, default=0, metavar="S", help="random seed of icons and facts"
    )
    parser.add_argument(
        "--set-world",
        type=assignment,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change the world: train_images.count=100; may be repeated",
    )


def add_source_arguments(parser: argparse.ArgumentParser, recipe: str, example: str, seeds: str) -> None:
    """Declare what training a source needs.

    Args:
        parser: of the command.
        recipe: file name of the default recipe.
        example: a setting for the help of ``--set``.
        seeds: what ``--seed`` is of.
    """
    parser.add_argument(
        "--recipe",
        type=Path,
        default=Path("workflow/recipes") / recipe,
        help="how to train, a YAML file",
    )
    parser.add_argument(
        "--set",
        type=assignment,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=f"change the recipe: {example}; may be repeated",
    )
    add_world_arguments(parser)
    parser.add_argument("--seed", type=seed, default=0, metavar="S", help=f"random seed of {seeds}")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def read_world(arguments: argparse.Namespace) -> MiniatureSettings:
    """Return the world that the arguments name (`UserError` if the file cannot be used)."""
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
    print(f"{a.out}: {len(record['sha256'])} data sets")
