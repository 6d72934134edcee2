"""Rules on sources that a study makes from scratch: its world, its encoder, its language models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from paretoken.compressors.specification import specification
from paretoken.config.fields import Record
from paretoken.config.settings import read_settings
from paretoken.config.sources import Llm
from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject, path_of
from paretoken.feasibility.recipes import one_line
from paretoken.io.yaml_files import read_yaml
from paretoken.train.sources.source_recipes import LlmRecipe, VisionRecipe
from paretoken.world.world_settings import MiniatureSettings

Settings = TypeVar("Settings", bound=Record)

#: Patches per side of the images of a generated world (`paretoken.world.facts.GRID`).
GRID = 6
#: Text images with more digits than this belong to `read_dense` (`paretoken.world.write.SPARSE`).
SPARSE = 3


def sources_can_be_made(subject: Subject) -> Iterator[Finding]:
    """Find recipes of sources that cannot be read."""
    if not subject.generated:
        return
    for place, path, kind in _recipes(subject):
        if _read(path, kind) is not None:
            continue
        try:
            read_settings(path_of(path), kind, "recipe")
        except UserError as error:
            yield subject.elsewhere(f"{place}.recipe", one_line(error), Kind.FILE)


def _recipes(subject: Subject) -> Iterator[tuple[str, str, type[Record]]]:
    """Yield the place of each recipe of a source in the config, its path, and its record class."""
    frozen = subject.frozen
    if frozen.world is not None:
        yield f"{subject.data_place()}.world", frozen.world.recipe, MiniatureSettings
    if frozen.vision.make is not None:
        yield f"{subject.vision_place()}.make", frozen.vision.make.recipe, VisionRecipe
    for record in frozen.llms:
        if record.make is not None:
            yield f"{subject.llm_place(record.name)}.make", record.make.recipe, LlmRecipe


def world_has_questions(subject: Subject) -> Iterator[Finding]:
    """Find worlds in which a benchmark has no questions, or that leave no facts to train on."""
    settings = world_settings(subject) if subject.generated else None
    if settings is None:
        return
    digits, share = settings.world.digits, settings.test_images.text_share
    reasons = [
        (
            share in (0, 1),
            f"test_images.text_share = {share:g} leaves only images of one kind; write a "
            "share between 0 and 1",
        ),
        (
            sum(digits[:SPARSE]) == 0,
            "world.digits gives no text image with few digits, which read_sparse needs; write a "
            f"share > 0 among the first {SPARSE}",
        ),
        (
            sum(digits[SPARSE:]) == 0,
            "world.digits gives no text image with many digits, which read_dense needs; write a "
            f"share > 0 after the first {SPARSE}",
        ),
        (
            settings.world.held_out == 1,
            "world.held_out = 1 leaves no fact to train on; write a smaller share",
        ),
    ]
    for wrong, sentence in reasons:
        if wrong:
            place = f"{subject.data_place()}.world.recipe"
            yield subject.elsewhere(place, sentence, Kind.FILE)


def encoder_fits(subject: Subject) -> Iterator[Finding]:
    """Find a grid or layers that a made encoder does not have, and widths that do not fit."""
    if not subject.generated:
        return
    if subject.grid != GRID:
        yield subject.elsewhere(
            f"{subject.vision_place()}.grid",
            f"is {subject.grid}, but an encoder that is made has {GRID} x {GRID} patches; write {GRID}, "
            "or name another encoder under vision",
        )
    make = subject.frozen.vision.make
    recipe = None if make is None else _read(make.recipe, VisionRecipe)
    if recipe is None:
        return
    for layer in subject.training.layers or ():
        if layer > recipe.layers:
            yield subject.finding(
                "training.layers",
                f"{layer} is not a layer of the encoder; write some of 0 to {recipe.layers} "
                "(layers in its recipe)",
                Kind.FILE,
            )
    yield from _queries(subject, recipe)
    if recipe.width % recipe.heads:
        yield subject.elsewhere(
            f"{subject.vision_place()}.make.recipe",
            f"heads = {recipe.heads} does not divide width = {recipe.width}; write a number that does",
            Kind.FILE,
        )


def _queries(subject: Subject, recipe: VisionRecipe) -> Iterator[Finding]:
    layers, wanting = subject.training.layers, defaultdict[int, list[str]](list)
    for name in subject.compressors:
        facts = specification(name)
        query = recipe.layers + 1 + facts.query_layer
        if layers and facts.reads_query_layer and query not in layers:
            wanting[query].append(name)
    for query, names in wanting.items():
        yield subject.finding(
            "training.layers",
            f"{', '.join(names)} take queries from layer {query} of the encoder; add {query} to layers",
            Kind.FILE,
        )
    for name in subject.compressors:
        facts = specification(name)
        channels = facts.undivided(recipe.width, len(layers or facts.layers(recipe.layers)))
        if channels is not None:
            yield subject.elsewhere(
                f"{subject.vision_place()}.make.recipe",
                f"{name} needs a number of channels that {facts.heads} divides, but has {channels} "
                f"(width = {recipe.width}); write another width, or take {name} out",
                Kind.FILE,
            )


def widths_can_be_trained(subject: Subject) -> Iterator[Finding]:
    """Find widths that attention heads do not divide, and predicted sizes without a width."""
    if not subject.generated:
        return
    for name in (*subject.study.llms, *subject.study.predict):
        make, place = subject.frozen.llm(name).make, f"{subject.llm_place(name)}.make"
        if make is None:
            yield subject.elsewhere(
                place,
                f"is missing, but study {subject.study.name} predicts this size from models that are "
                "made, and its cost depends on the width; add it, or take the size out of predict",
            )
        elif (recipe := _read(make.recipe, LlmRecipe)) is not None:
            try:
                recipe.heads(make.width)
            except UserError as error:
                yield subject.elsewhere(f"{place}.width", str(error), Kind.FILE)


def world_settings(subject: Subject) -> MiniatureSettings | None:
    """Return the settings of a study's world; None if it has none, or they cannot be read."""
    world = subject.frozen.world
    return None if world is None else _read(world.recipe, MiniatureSettings)


def llm_recipe(record: Llm) -> LlmRecipe | None:
    """Return the recipe of a language model; None if the model is fetched, or it cannot be read."""
    return None if record.make is None else _read(record.make.recipe, LlmRecipe)


def _read(name: str, kind: type[Settings]) -> Settings | None:
    path = path_of(name)
    try:
        return kind.model_validate(_raw(path.absolute(), path.stat().st_mtime_ns))
    except (UserError, ValueError, OSError):
        return None


@lru_cache
def _raw(path: Path, written: int) -> dict[str, Any]:
    """Read a file once for all studies, and again if its time of modification, ``written``, changes."""
    return read_yaml(path)
