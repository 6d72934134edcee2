"""Expected dimensions of language models and encoders, before anything is downloaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from paretoken.config.settings import read_settings
from paretoken.costs.answer_work import DecoderShape, EncoderShape, decoder_shape, encoder_shape
from paretoken.costs.dimension_table import read_dimensions
from paretoken.errors import UserError
from paretoken.io.files import read_object
from paretoken.train.sources.source_recipes import LlmRecipe, VisionRecipe
from paretoken.world.vocabulary import Vocabulary
from paretoken.world.world_settings import MiniatureSettings

#: Dimensions of CLIP ViT-L/14 at 336 pixels, from its published configuration.
CLIP_L_336 = EncoderShape(width=1024, layers=24, intermediate=4096, side=24, patch=14)
MINIATURE_PATCH = 8
#: Ratio of width to depth, and vocabulary, of a shape that is guessed from a number of parameters.
ASPECT, GUESSED_VOCABULARY = 128, 152_000


@dataclass(frozen=True)
class Shape:
    """Dimensions of a language model, its number of parameters, and the origin of both."""

    decoder: DecoderShape
    parameters: int
    origin: str


def llm_shape(name: str, folder: Path, table: Path, params: int | None, params_b: float) -> Shape:
    """Return a language model's shape: of the fetched model, otherwise of a table, otherwise a guess.

    Args:
        name: name of its record.
        folder: folder of the fetched model; a ``config.json`` in it takes precedence.
        table: path of the table of dimensions.
        params: exact number of parameters, if its record has it.
        params_b: nominal size, in billions of parameters.
    """
    known = _fetched(folder / "config.json") or _tabulated(table).get(name)
    if known is None:
        guess = guessed_shape(params or round(params_b * 1e9))
        known = (guess, f"guessed from its {'parameters' if params else 'nominal size'}")
    decoder, origin = known
    return Shape(decoder, params or decoder.parameters()["total"], origin)


def guessed_shape(parameters: int) -> DecoderShape:
    """Return a plausible shape: a width of 128 per layer, and an MLP of 8/3 of the width.

    FLOPs hardly depend on the guess, since the number of parameters is right; the memory of activations
    does to some extent.
    """
    width = 64
    while True:
        shape = DecoderShape(
            hidden=width,
            layers=max(1, round(width / ASPECT)),
            heads=width // 64,
            kv_heads=width // 64,
            head_width=64,
            intermediate=round(width * 8 / 3),
            vocabulary=GUESSED_VOCABULARY if parameters > 2e8 else 1000,
            tied=parameters < 1e9,
        )
        if shape.parameters()["total"] >= parameters:
            return shape
        width += 64


def _fetched(path: Path) -> tuple[DecoderShape, str] | None:
    try:
        return _configured(path, path.stat().st_mtime_ns)
    except (OSError, UserError):
        return None


@lru_cache
def _configured(path: Path, written: int) -> tuple[DecoderShape, str]:
    """Read a model's config, and again if its time of modification, ``written``, changes."""
    return decoder_shape(read_object(path)), str(path)


@lru_cache
def _tabulated(path: Path) -> dict[str, tuple[DecoderShape, str]]:
    """Read a table of dimensions, if it exists."""
    if not path.exists():
        return {}
    return {name: (found.decoder, str(path)) for name, found in read_dimensions(path).items()}


@lru_cache
def miniature_llm(width: int, recipe: Path, world: Path) -> Shape:
    """Return the shape of a language model that the miniature trains."""
    settings = read_settings(recipe, LlmRecipe, "recipe")
    decoder = miniature_decoder(width, settings, miniature_world(world))
    return Shape(decoder, decoder.parameters()["total"], str(recipe))


def miniature_decoder(width: int, recipe: LlmRecipe, world: MiniatureSettings) -> DecoderShape:
    """Return the dimensions of a language model that the miniature trains.

    Raises:
        UserError: the width cannot be split into attention heads.
    """
    heads = recipe.heads(width)
    return DecoderShape(
        hidden=width,
        layers=recipe.layers,
        heads=heads,
        kv_heads=heads,
        head_width=width // heads,
        intermediate=recipe.mlp_ratio * width,
        vocabulary=len(Vocabulary(world.world)),
        tied=True,
        query_key_value_bias=True,
    )


@lru_cache
def miniature_encoder(recipe: Path, side: int) -> EncoderShape:
    """Return the shape of the encoder that the miniature trains."""
    settings = read_settings(recipe, VisionRecipe, "recipe")
    return EncoderShape(
        width=settings.width,
        layers=settings.layers,
        intermediate=settings.mlp_ratio * settings.width,
        side=side,
        patch=MINIATURE_PATCH,
    )


@lru_cache
def miniature_world(path: Path) -> MiniatureSettings:
    """Return the settings of the generated world and its data sets."""
    return read_settings(path, MiniatureSettings, "world")


def vision_shape(folder: Path, grid: int) -> EncoderShape:
    """Return a fetched encoder's shape, or that of CLIP ViT-L/14 with the record's grid before that.

    Raises:
        UserError: the fetched encoder has another grid than its record.
    """
    path = folder / "config.json"
    try:
        shape = _configured_encoder(path, path.stat().st_mtime_ns)
    except (OSError, UserError):
        return replace(CLIP_L_336, side=grid)
    if shape.side != grid:
        raise UserError(
            f"the encoder in {folder} has {shape.side} x {shape.side} patches, its record says "
            f"grid: {grid}; write grid: {shape.side} in the config, or delete {folder} and fetch another"
        )
    return shape


@lru_cache
def _configured_encoder(path: Path, written: int) -> EncoderShape:
    config = read_object(path)
    tower = config.get("vision_config", config)
    if not isinstance(tower, dict):
        raise UserError(f"{path}: vision_config must be a JSON object")
    return encoder_shape(tower)
