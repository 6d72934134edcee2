"""Rules on what a miniature study makes from nothing: its world, its encoder, its language models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from paretoken.compressors.specification import Sizes, specification
from paretoken.config import Record
from paretoken.data.miniature.settings import MiniatureSettings
from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.recipes import one_line
from paretoken.settings import read_settings
from paretoken.train.sources.recipes import LlmRecipe, VisionRecipe
from paretoken.yaml_files import read_yaml

Settings = TypeVar("Settings", bound=Record)

#: Patches per side of the images that a miniature draws (`data.miniature.world.GRID`).
GRID = 6
#: Text images with more digits than this are those of `read_dense` (`data.miniature.write.SPARSE`).
SPARSE = 3
#: The layer of the encoder that gives queries, counted from the end (`models.assemble.Choice`).
QUERY_LAYER = -2


def sources_can_be_made(subject: Subject) -> Iterator[Finding]:
    """Find recipes of sources that cannot be read."""
    if subject.kind != "miniature":
        return
    for key, kind in (("world", MiniatureSettings), ("vision", VisionRecipe), ("llm", LlmRecipe)):
        if _read(subject, key, kind) is not None:
            continue
        try:
            read_settings(_path(subject, key), kind, f"recipe of the miniature's {key}")
        except UserError as error:
            yield subject.finding(f"training.recipes.{key}", one_line(error), Kind.FILE)


def world_has_questions(subject: Subject) -> Iterator[Finding]:
    """Find worlds in which some benchmark has no question, or nothing is left to train on."""
    settings = world_settings(subject) if subject.kind == "miniature" else None
    if settings is None:
        return
    digits, share = settings.world.digits, settings.test_images.text_share
    reasons = [
        (
            share in (0, 1),
            f"test_images.text_share = {share:g} leaves images of one kind only; write a "
            "share between 0 and 1",
        ),
        (
            sum(digits[:SPARSE]) == 0,
            "world.digits gives no text image with few digits, which read_sparse asks about",
        ),
        (
            sum(digits[SPARSE:]) == 0,
            "world.digits gives no text image with many digits, which read_dense asks about",
        ),
        (settings.world.held_out == 1, "world.held_out = 1 leaves no fact to train on; write less"),
    ]
    for wrong, sentence in reasons:
        if wrong:
            yield subject.finding("training.recipes.world", sentence, Kind.FILE)


def encoder_fits(subject: Subject) -> Iterator[Finding]:
    """Find a grid, layers or widths that the encoder of a miniature does not have."""
    if subject.kind != "miniature":
        return
    if subject.grid != GRID:
        yield subject.elsewhere(
            f"{subject.vision_place()}.grid",
            f"is {subject.grid}, and the encoder of study {subject.study.name}, a miniature, has a "
            f"grid of {GRID} x {GRID} patches; write {GRID}, or another encoder under vision",
        )
    recipe = _read(subject, "vision", VisionRecipe)
    if recipe is None:
        return
    layers = subject.training.layers
    for layer in layers:
        if layer > recipe.layers:
            yield subject.finding(
                "training.layers",
                f"{layer} is not a layer of the encoder, which has 0 to {recipe.layers} "
                "(layers in the recipe vision)",
                Kind.FILE,
            )
    yield from _queries(subject, recipe)
    if recipe.width % recipe.heads:
        yield subject.finding(
            "training.recipes.vision",
            f"heads = {recipe.heads} does not divide width = {recipe.width}; write one that does",
            Kind.FILE,
        )


def _queries(subject: Subject, recipe: VisionRecipe) -> Iterator[Finding]:
    query = recipe.layers + 1 + QUERY_LAYER
    wanting = [name for name in subject.compressors if specification(name).reads_query_layer]
    if wanting and query not in subject.training.layers:
        yield subject.finding(
            "training.layers",
            f"{', '.join(wanting)} take queries from layer {query} of the encoder; add "
            f"{query} to layers",
            Kind.FILE,
        )
    for name in subject.compressors:
        facts, joined = specification(name), recipe.width * len(subject.training.layers)
        channels = facts.channels(Sizes(1, subject.grid, recipe.width, joined, text=1))
        if facts.attends and channels % facts.heads:
            yield subject.finding(
                "training.recipes.vision",
                f"{name} needs channels that {facts.heads} divides, and has {channels} "
                f"(width = {recipe.width}); write another width, or take {name} out",
                Kind.FILE,
            )


def widths_can_be_trained(subject: Subject) -> Iterator[Finding]:
    """Find widths that cannot be split into attention heads, and predicted sizes without a width."""
    if subject.kind != "miniature":
        return
    recipe = llm_recipe(subject)
    for name in (*subject.study.llms, *subject.study.predict):
        width, place = subject.frozen.llm(name).width, f"{subject.llm_place(name)}.width"
        if width is None:
            yield subject.elsewhere(
                place,
                f"is missing, and study {subject.study.name}, a miniature, predicts this size: its cost "
                "follows from the width; add one, or take it out of predict",
            )
        elif recipe is not None:
            try:
                recipe.heads(width)
            except UserError as error:
                yield subject.elsewhere(place, str(error), Kind.FILE)


def world_settings(subject: Subject) -> MiniatureSettings | None:
    """Return the world of a miniature; None if it cannot be read."""
    return _read(subject, "world", MiniatureSettings)


def llm_recipe(subject: Subject) -> LlmRecipe | None:
    """Return the recipe of a miniature's language models; None if it cannot be read."""
    return _read(subject, "llm", LlmRecipe)


def _read(subject: Subject, key: str, kind: type[Settings]) -> Settings | None:
    path = _path(subject, key)
    try:
        return kind.model_validate(_raw(path.absolute(), path.stat().st_mtime_ns))
    except (UserError, ValueError, OSError):
        return None


@lru_cache
def _raw(path: Path, written: int) -> dict[str, Any]:
    """Read a file once, and again when it was ``written`` anew: several studies share it."""
    return read_yaml(path)


def _path(subject: Subject, key: str) -> Path:
    return Path(getattr(subject.training.recipes, key))
