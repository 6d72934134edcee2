"""What a stage reads, and the model that it starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PretrainedConfig

from paretoken.data.encoded import EncodedSet
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import Aspect, image_source, read_preprocessor
from paretoken.errors import UserError
from paretoken.files import sha256
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import (
    ADAPTER_FILE,
    Choice,
    FeatureLayers,
    assemble,
    attach_encoder,
    feature_layers,
    load_adapter,
)
from paretoken.models.vision import encoded_side, load_encoder
from paretoken.models.vlm import ParetokenModel
from paretoken.pretrained import combined_hash, weights_hash
from paretoken.tokens import SMALLER_IMAGES
from paretoken.train.arguments import set_attention
from paretoken.train.recipe import Recipe
from paretoken.train.whitening import fit_whitening


@dataclass(frozen=True)
class StageInputs:
    """Everything a stage reads, and the folder it writes.

    Either ``features`` (precomputed) or ``images`` (a folder, encoded while training) is given;
    neither for V = 0. ``normalise`` is for images (features say it themselves). ``adapter`` is
    the result of stage 1, for stage 2.
    """

    llm: Path
    vision: Path
    data: Path
    out: Path
    choice: Choice
    seed: int
    features: Path | None = None
    images: Path | None = None
    aspect: Aspect = "pad"
    normalise: bool = False
    adapter: Path | None = None
    deepspeed: Path | None = None


def run_key(inputs: StageInputs, recipe: Recipe, data: EncodedSet) -> str:
    """Return a hash of all that determines the result of a stage."""
    visual = "none"
    if inputs.features is not None and inputs.choice.tokens:
        visual = sha256(inputs.features / "index.json")
    elif inputs.images is not None:
        visual = f"{inputs.images} {inputs.aspect}" + " normalised" * inputs.normalise
    adapter = "none" if inputs.adapter is None else sha256(inputs.adapter / ADAPTER_FILE)
    sources = [weights_hash(inputs.llm), weights_hash(inputs.vision), data.fingerprint]
    cell = [str(inputs.choice), str(inputs.seed)]
    return combined_hash([recipe.digest(), *sources, visual, adapter, *cell])


def open_visual(
    inputs: StageInputs, vision: PretrainedConfig
) -> tuple[FeatureStore | PixelStore | None, FeatureLayers]:
    """Open features or images, and return which layers they hold."""
    if inputs.choice.tokens == 0:
        return None, FeatureLayers(feature_layers([inputs.choice], vision.num_hidden_layers))
    if inputs.features is not None and inputs.choice.compressor in SMALLER_IMAGES:
        raise UserError(
            f"{inputs.choice.compressor} reads smaller images, and stored features are of whole ones; "
            "give --images instead of --features"
        )
    if inputs.features is not None:
        store = FeatureStore(inputs.features)
        store.demand_encoder(weights_hash(inputs.vision))
        return store, FeatureLayers(store.layers, bool(store.index["normalised"]))
    if inputs.images is None:
        raise UserError("give --features or --images (only 0 visual tokens need neither)")
    preprocess = read_preprocessor(inputs.vision, inputs.aspect)
    source = image_source(inputs.images)
    layers = feature_layers([inputs.choice], vision.num_hidden_layers)
    return PixelStore(source, preprocess), FeatureLayers(layers, inputs.normalise)


def build_model(
    inputs: StageInputs,
    recipe: Recipe,
    vision: PretrainedConfig,
    data: EncodedSet,
    visual: FeatureStore | PixelStore | None,
    layers: FeatureLayers,
) -> ParetokenModel:
    """Return the model with the weights that the stage starts from, frozen where it does not learn.

    A function of its arguments only: called again, it returns the same model.

    Raises:
        UserError: a source is missing or does not fit the others.
    """
    dtype = _llm_dtype(inputs, recipe)
    token = data.image_token_id
    model = assemble(inputs.llm, vision, inputs.choice, layers, token, inputs.seed, dtype)
    if recipe.stage == "finetune" and inputs.choice.tokens:
        if inputs.adapter is None:
            raise UserError("finetune needs --adapter: what `--stage pretrain` wrote")
        load_adapter(model, inputs.adapter)
    if inputs.features is None and inputs.choice.tokens:
        side = encoded_side(inputs.choice.compressor, inputs.choice.tokens)
        attach_encoder(model, load_encoder(inputs.vision, layers.layers, layers.normalised, side))
    freeze_all_but(model, trainable_prefixes(recipe.stage))
    set_attention(model.language_model, recipe)
    model.config.template = data.template
    model.config.image_aspect = aspect_of(visual)
    if model.config.whiten and recipe.stage == "pretrain" and visual is not None:
        fit_whitening(model, visual, data.image_names)
    return model


def _llm_dtype(inputs: StageInputs, recipe: Recipe) -> torch.dtype:
    """Return bf16 where that suffices: for a frozen model, and where DeepSpeed keeps fp32 copies."""
    enough = recipe.stage == "pretrain" or inputs.deepspeed is not None
    return torch.bfloat16 if enough and recipe.precision == "bf16" else torch.float32


def aspect_of(visual: FeatureStore | PixelStore | None) -> str:
    """Return how images were made square."""
    if isinstance(visual, FeatureStore):
        return str(visual.index["preprocess"]["aspect"])
    return "pad" if visual is None else visual.preprocess.aspect


def pad_id_of(model: ParetokenModel) -> int:
    """Return the id that padding gets."""
    pad = model.config.text_config.pad_token_id
    return 0 if pad is None else int(pad)
