"""The inputs of a stage, and the model that it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, PretrainedConfig

from paretoken.compressors.specification import specification
from paretoken.data.encoded import EncodedSet
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import image_source
from paretoken.data.preprocessor import Aspect, read_preprocessor
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.io.files import sha256
from paretoken.model_files.pretrained import combined_hash, load_pretrained, weights_hash
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import (
    ADAPTER_FILE,
    Choice,
    FeatureLayers,
    assemble,
    attach_encoder,
    configure,
    feature_layers,
    load_adapter,
)
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.vision import encoded_side, grid_side, load_encoder, require_image_size
from paretoken.models.vlm import ParetokenModel
from paretoken.train.attention import set_attention
from paretoken.train.matching import require_adapter, require_positions, require_vocabulary
from paretoken.train.recipe import Recipe
from paretoken.train.unread import ADVICE
from paretoken.train.whitening import fit_whitening

#: How images are made square by default.
ASPECT: Aspect = "pad"


@dataclass(frozen=True)
class StageInputs:
    """Everything a stage reads, and the folder it writes.

    Either ``features`` (precomputed) or ``images`` (a folder, encoded while training) is given; neither
    is needed for V = 0. ``aspect`` and ``normalise`` apply to images; if they are given with features,
    they must equal the settings with which the features were made. ``adapter`` is the result of stage 1,
    for stage 2. ``max_bad_share`` is the largest allowed share of conversations with nothing to learn,
    and of unreadable images; it decides whether a run may continue and does not change its result.
    """

    llm: Path
    vision: Path
    data: Path
    out: Path
    choice: Choice
    seed: int
    features: Path | None = None
    images: Path | None = None
    aspect: Aspect | None = None
    normalise: bool = False
    adapter: Path | None = None
    deepspeed: Path | None = None
    max_bad_share: float = 0.0


def source_hashes(inputs: StageInputs) -> dict[str, str]:
    """Return the hashes of the weights that a stage starts from."""
    return {"llm": weights_hash(inputs.llm), "vision": weights_hash(inputs.vision)}


def run_key(inputs: StageInputs, recipe: Recipe, data: EncodedSet, sources: Mapping[str, str]) -> str:
    """Return a hash of everything that determines the result of a stage."""
    visual = "none"
    if inputs.features is not None and inputs.choice.tokens:
        visual = sha256(inputs.features / "index.json")
    elif inputs.images is not None:
        visual = f"{inputs.images} {inputs.aspect or ASPECT}" + " normalised" * inputs.normalise
    adapter = "none" if inputs.adapter is None else sha256(inputs.adapter / ADAPTER_FILE)
    cell = [str(inputs.choice), str(inputs.seed)]
    parts = [sources["llm"], sources["vision"], data.fingerprint]
    return combined_hash([recipe.digest(), *parts, visual, adapter, *cell])


def open_visual(
    inputs: StageInputs, vision: PretrainedConfig, encoder_hash: str
) -> tuple[FeatureStore | PixelStore | None, FeatureLayers]:
    """Return the opened features or images, and the layers that they hold.

    Raises:
        UserError: neither are given, or they do not fit the encoder or the choice.
    """
    if inputs.choice.tokens == 0:
        return None, FeatureLayers(feature_layers([inputs.choice], vision.num_hidden_layers))
    if inputs.features is not None:
        store = FeatureStore(inputs.features, inputs.max_bad_share)
        store.require_encoder(encoder_hash)
        _require_features(store, inputs, vision)
        return store, FeatureLayers(store.layers, bool(store.index["normalised"]))
    if inputs.images is None:
        raise UserError("give --features or --images; only a model with --tokens 0 needs neither")
    preprocess = read_preprocessor(inputs.vision, inputs.aspect or ASPECT)
    require_image_size(vision, preprocess.size, inputs.vision)
    source = image_source(inputs.images)
    layers = feature_layers([inputs.choice], vision.num_hidden_layers)
    return (
        PixelStore(source, preprocess, inputs.max_bad_share),
        FeatureLayers(layers, inputs.normalise),
    )


def _require_features(store: FeatureStore, inputs: StageInputs, vision: PretrainedConfig) -> None:
    """Require that stored features fit the encoder and the choice."""
    if specification(inputs.choice.compressor).smaller_images:
        raise UserError(
            f"{inputs.choice.compressor} reads smaller images, stored features are of full-size ones; "
            "give --images instead of --features"
        )
    made = store.index["preprocess"]["aspect"]
    if inputs.aspect is not None and inputs.aspect != made:
        raise UserError(
            f"the features in {store.path} are of images that were made square by {made}, not by "
            f"{inputs.aspect}; leave --aspect out, or compute them with `paretoken features --aspect "
            f"{inputs.aspect}`"
        )
    if inputs.normalise and not store.index["normalised"]:
        raise UserError(
            f"the features in {store.path} are not normalised; leave --normalise out, or compute them "
            "with `paretoken features --normalise`"
        )
    expected = [len(store.layers), grid_side(vision) ** 2, vision.hidden_size]
    if store.index["shape"][1:] != expected:
        raise UserError(
            f"the features in {store.path} have the shape {store.index['shape'][1:]} (layers, patches, "
            f"width), but the encoder returns {expected}; delete the folder and run "
            "`paretoken features` again"
        )


def plan_model(
    inputs: StageInputs,
    recipe: Recipe,
    data: EncodedSet,
    vision: PretrainedConfig,
    layers: FeatureLayers,
    sources: dict[str, str],
) -> ParetokenConfig:
    """Check that the parts of a stage's model fit each other, and return the model's configuration.

    Raises:
        UserError: a part is missing or does not fit the others.
    """
    text = load_pretrained(AutoConfig, inputs.llm)
    config = configure(text, vision, inputs.choice, layers, data.image_token_id)
    config.encoder_hash = sources["vision"]
    require_vocabulary(data, inputs.data, inputs.llm, config)
    require_positions(recipe.max_length, inputs.llm, config)
    if recipe.stage == "pretrain" and inputs.adapter is not None:
        raise UserError("--adapter is for finetune: stage 1 starts from a new projector; leave it out")
    if recipe.stage == "finetune" and inputs.choice.tokens:
        if inputs.adapter is None:
            raise UserError("finetune needs --adapter: give the folder that `--stage pretrain` wrote")
        require_adapter(inputs.adapter, config, sources)
    return config


def build_model(
    inputs: StageInputs,
    recipe: Recipe,
    vision: PretrainedConfig,
    data: EncodedSet,
    visual: FeatureStore | PixelStore | None,
    layers: FeatureLayers,
) -> ParetokenModel:
    """Return the model with the weights that the stage starts from; untrained parts are frozen.

    The result depends on the arguments only: a second call returns the same model.

    Raises:
        UserError: a source is missing or does not fit the others.
    """
    dtype = _llm_dtype(inputs, recipe)
    token = data.image_token_id
    model = assemble(inputs.llm, vision, inputs.choice, layers, token, inputs.seed, dtype)
    if recipe.stage == "finetune" and inputs.choice.tokens and inputs.adapter is not None:
        load_adapter(model, inputs.adapter)
    if inputs.features is None and inputs.choice.tokens:
        side = encoded_side(inputs.choice.compressor, inputs.choice.tokens)
        attach_encoder(model, load_encoder(inputs.vision, layers.layers, layers.normalised, side))
    freeze_all_but(model, trainable_prefixes(recipe.stage))
    set_attention(model.language_model, recipe)
    model.config.template = data.template
    model.config.image_aspect = aspect_of(visual)
    if specification(model.config.compressor).reads_text:
        model.config.question_length = recipe.max_length
    if model.config.whiten and recipe.stage == "pretrain" and visual is not None:
        skips = Skips("whitening", inputs.max_bad_share, unit="image", advice=ADVICE)
        fit_whitening(model, visual, data.image_names, skips)
    return model


def _llm_dtype(inputs: StageInputs, recipe: Recipe) -> torch.dtype:
    """Return bf16 where that suffices: for a frozen model, and if DeepSpeed keeps fp32 copies."""
    enough = recipe.stage == "pretrain" or inputs.deepspeed is not None
    return torch.bfloat16 if enough and recipe.precision == "bf16" else torch.float32


def aspect_of(visual: FeatureStore | PixelStore | None) -> str:
    """Return how images were made square."""
    if isinstance(visual, FeatureStore):
        return str(visual.index["preprocess"]["aspect"])
    return "pad" if visual is None else visual.preprocess.aspect


def pad_id_of(config: ParetokenConfig) -> int:
    """Return the token id of padding."""
    pad = config.text_config.pad_token_id
    return 0 if pad is None else int(pad)
