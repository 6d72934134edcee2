"""The dimensions of all models of a study, from which costs of answers are computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paretoken.config.sources import Llm
from paretoken.config.study import FrozenStudy
from paretoken.costs.models.deployment import AdapterShape, LlmShape, Shapes
from paretoken.costs.shapes import EncoderShape
from paretoken.plan import from_config
from paretoken.plan.expected_shapes import (
    CLIP_L_336,
    Shape,
    guessed_shape,
    llm_shape,
    miniature_encoder,
    miniature_llm,
    vision_shape,
)
from paretoken.study import paths


def dimensions(frozen: FrozenStudy, llm: Llm, seed: int = 0) -> tuple[Shape, EncoderShape]:
    """Return the shapes of a language model and of the encoder of a study.

    Args:
        frozen: the study; the shapes come from its recipes, its fetched models or a table.
        llm: the language model's record.
        seed: the seed of the cell.

    Raises:
        UserError: a recipe or table cannot be read.
    """
    vision, world = frozen.vision, frozen.world
    if world is not None and llm.make is not None and vision.make is not None:
        shape = miniature_llm(llm.make.width, Path(llm.make.recipe), Path(world.recipe))
        return shape, miniature_encoder(Path(vision.make.recipe), vision.grid)
    table, folder = from_config.dimensions_file(frozen.study), paths.llm_folder(frozen, llm.name, seed)
    shape = llm_shape(llm.name, folder, table, llm.params, llm.params_b)
    return shape, vision_shape(paths.vision_folder(frozen, seed), vision.grid)


def study_shapes(frozen: FrozenStudy) -> Shapes:
    """Return the dimensions of a study's models, including those that it only predicts.

    A study with several compressors is described by its first.
    """
    study, llms = frozen.study, []
    compressor = study.compressors[0].name
    encoder = CLIP_L_336
    for record in frozen.llms:
        shape, encoder = dimensions(frozen, record)
        llms.append(
            LlmShape(record.name, record.params_b, shape.parameters, shape.decoder, shape.origin)
        )
    training = study.training
    adapter = AdapterShape(
        compressor=compressor,
        layers=from_config.joined_layers(training, compressor, encoder.layers),
        inner=training.projector_width if training else None,
        whitened=training.whiten if training else False,
    )
    return Shapes(tuple(llms), encoder, adapter)


def guessed_shapes(sizes: Sequence[float], compressor: str) -> Shapes:
    """Return plausible dimensions of language models of some sizes, with CLIP ViT-L/14 at 336 pixels.

    Args:
        sizes: N, billions of parameters.
        compressor: a registered compressor.
    """
    llms = []
    for n in sorted(set(sizes)):
        decoder = guessed_shape(round(n * 1e9))
        parameters = decoder.parameters()["total"]
        llms.append(LlmShape(f"{n:g}B", n, parameters, decoder, "guessed from its nominal size"))
    adapter = AdapterShape(compressor, from_config.joined_layers(None, compressor, CLIP_L_336.layers))
    return Shapes(tuple(llms), CLIP_L_336, adapter)
