"""Opening a trained model for prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig

from paretoken.compressors.reach import require_reachable
from paretoken.compressors.specification import specification
from paretoken.data.collation import VisualStore
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import ImageSource, image_source
from paretoken.data.labels import ChatEncoder
from paretoken.data.preprocessor import read_preprocessor
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError
from paretoken.evaluate.prediction import Predictor
from paretoken.io.files import read_object
from paretoken.io.text_tables import visual_tokens
from paretoken.model_files.pretrained import load_pretrained, load_weights
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.language import require_stop_tokens
from paretoken.models.vlm import ParetokenModel


def open_predictor(
    model_folder: Path,
    features: Path | None = None,
    images: Path | ImageSource | None = None,
    batch: int = 64,
    max_new_tokens: int = 16,
    tokens: int | None = None,
    adaptive: bool = False,
) -> Predictor:
    """Return a predictor with the model, its tokenizer, and the images of the questions.

    Args:
        model_folder: folder of the model that finetune wrote.
        features: folder that `paretoken features` wrote; or give ``images``.
        images: folder of image files, or a data set that holds its images.
        batch: questions at a time.
        max_new_tokens: most tokens of an answer.
        tokens: V, for an elastic model; None: that of its training.
        adaptive: whether the number of tokens is adapted to each image (`prumerge`).

    Raises:
        UserError: something cannot be loaded, the features do not fit the model, or the model does not
            support the number of tokens.
    """
    model = load_model(model_folder, tokens)
    nn.Module.to(model, "cuda" if torch.cuda.is_available() else "cpu")
    model.train(False)
    encoder = ChatEncoder(load_tokenizer(model_folder), model.config.template)
    if encoder.image_id != model.config.image_token_id:
        raise UserError(
            f"in {model_folder} the id of <image> is {encoder.image_id} in the tokenizer, but "
            f"{model.config.image_token_id} in the model; use the tokenizer that it was trained with"
        )
    visual: VisualStore | None = None
    if features is not None:
        visual = _features(model, features)
    elif images is not None:
        aspect: Any = model.config.image_aspect
        source = images if isinstance(images, ImageSource) else image_source(images)
        visual = PixelStore(source, read_preprocessor(model_folder, aspect))
    return Predictor(model, encoder, visual, batch, max_new_tokens, adaptive)


def load_model(folder: Path, tokens: int | None = None) -> ParetokenModel:
    """Return a stored model; an elastic one with ``tokens`` visual tokens.

    Raises:
        UserError: the model cannot be loaded, or does not support the number of tokens.
    """
    require_own_model(folder)
    require_stop_tokens(folder)
    config: ParetokenConfig = load_pretrained(AutoConfig, folder)
    if tokens is not None and tokens != config.visual_tokens:
        if not (specification(config.compressor).elastic and config.visual_tokens and tokens):
            raise UserError(
                f"{folder} was trained with {visual_tokens(config.visual_tokens)} of "
                f"{config.compressor}; it cannot answer with {tokens}"
            )
        config.visual_tokens = require_reachable(config.compressor, config.grid_side, tokens)
    model: ParetokenModel = load_weights(ParetokenModel, folder, config=config)
    return model


def require_own_model(folder: Path) -> None:
    """Require that a directory holds a model of this project.

    Otherwise `transformers` would replace missing entries of the configuration by defaults, for example
    a language model with billions of random weights.

    Raises:
        UserError: the directory does not hold such a model.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a directory; give the folder `model` that `paretoken train` wrote"
        )
    config = read_object(folder / "config.json")
    text = config.get("text_config")
    own = config.get("model_type") == ParetokenModel.config_class.model_type
    if not own or not isinstance(text, dict) or "hidden_size" not in text:
        raise UserError(
            f"{folder} does not hold a model of `paretoken train`; give the folder `model` that it wrote"
        )


def _features(model: ParetokenModel, path: Path) -> FeatureStore:
    store, config = FeatureStore(path), model.config
    if config.visual_tokens == 0:
        return store
    if specification(config.compressor).smaller_images:
        raise UserError(f"{config.compressor} reads smaller images; give --images instead of --features")
    layers = list(config.feature_layers)
    expected = (layers, bool(config.normalise_features))
    found = (list(store.layers), bool(store.index["normalised"]))
    if found != expected:
        words = [
            f"layers {own}, {'' if normalised else 'not '}normalised"
            for own, normalised in (found, expected)
        ]
        raise UserError(
            f"{path} holds {words[0]}, but the model was trained on {words[1]}; compute features with "
            "the same --layers and --normalise"
        )
    shape, made = [len(layers), config.grid_side**2, config.vision_width], store.index["shape"][1:]
    if made != shape:
        raise UserError(
            f"{path} holds features of the shape {made} (layers, patches, width), but the model was "
            f"trained on {shape}; compute them with the encoder that it was trained with"
        )
    if config.encoder_hash is not None:  # models of older versions do not record it
        store.require_encoder(config.encoder_hash)
    return store
