"""The dimensions of all models of a study, as costs of answers are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paretoken.config import FrozenStudy, Study
from paretoken.cost_models.deployment import AdapterShape, LlmShape, Shapes
from paretoken.planning import records
from paretoken.planning.shapes import (
    CLIP_L_336,
    Shape,
    guessed_shape,
    llm_shape,
    miniature_encoder,
    miniature_llm,
    vision_shape,
)
from paretoken.shapes import EncoderShape


def dimensions(study: Study, llm: Any, vision: Any, folder: Path) -> tuple[Shape, EncoderShape]:
    """Return the shapes of a language model and of the encoder of a study.

    Args:
        study: whose recipes, or table of dimensions, say them.
        llm: the language model's record.
        vision: the encoder's record.
        folder: where the language model is fetched to.

    Raises:
        UserError: a recipe or table cannot be read.
    """
    training = study.training
    if training is not None and training.kind == "miniature":
        recipes = training.recipes
        shape = miniature_llm(llm.width, Path(recipes.llm), Path(recipes.world))
        return shape, miniature_encoder(Path(recipes.vision), vision.grid)
    table, params = records.dimensions_file(study), getattr(llm, "params", None)
    shape = llm_shape(llm.name, folder, table, params, llm.params_b)
    return shape, vision_shape(folder.parent.parent / "vision", vision.grid)


def study_shapes(frozen: FrozenStudy) -> Shapes:
    """Return the dimensions of a study's models, those that it only predicts included.

    A study with several compressors is described by its first.
    """
    study, llms = frozen.study, []
    compressor = study.compressors[0].name
    encoder = CLIP_L_336
    for record in frozen.llms:
        folder = Path("results", study.name, "sources", "llms", record.name)
        shape, encoder = dimensions(study, record, frozen.vision, folder)
        llms.append(
            LlmShape(record.name, record.params_b, shape.parameters, shape.decoder, shape.origin)
        )
    training: Any = study.training
    adapter = AdapterShape(
        compressor=compressor,
        layers=records.joined_layers(training, compressor, encoder.layers),
        inner=getattr(training, "projector_width", None),
        whitened=getattr(training, "whiten", False),
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
    adapter = AdapterShape(compressor, records.joined_layers(None, compressor, CLIP_L_336.layers))
    return Shapes(tuple(llms), CLIP_L_336, adapter)
