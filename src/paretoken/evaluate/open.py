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
from paretoken.model_files.pretrained import load_pretrained, load_weights
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.language import demand_stops
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
    """Load a model with its tokenizer and the images it will be asked about.

    Args:
        model_folder: what finetune wrote.
        features: what `paretoken features` wrote; or
        images: image files, or a data set that holds its images.
        batch: questions at a time.
        max_new_tokens: the longest answer.
        tokens: V, for an elastic model; None: what it was trained with.
        adaptive: whether each image gets its own number of tokens (`prumerge`).

    Raises:
        UserError: something cannot be loaded, the features are not of the model's layers, or the model
            cannot answer with so many tokens.
    """
    model = load_model(model_folder, tokens)
    nn.Module.to(model, "cuda" if torch.cuda.is_available() else "cpu")
    model.train(False)
    encoder = ChatEncoder(load_tokenizer(model_folder), model.config.template)
    if encoder.image_id != model.config.image_token_id:
        raise UserError(
            f"in {model_folder} the tokenizer's <image> is {encoder.image_id}, the model's is "
            f"{model.config.image_token_id}; they are not of the same model"
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
    """Load a stored model; an elastic one with ``tokens`` visual tokens.

    Raises:
        UserError: it cannot be loaded, or it answers with another number of tokens only.
    """
    demand_own(folder)
    demand_stops(folder)
    config: ParetokenConfig = load_pretrained(AutoConfig, folder)
    if tokens is not None and tokens != config.visual_tokens:
        if not (specification(config.compressor).elastic and config.visual_tokens and tokens):
            raise UserError(
                f"{folder} was trained with {config.visual_tokens} visual tokens of "
                f"{config.compressor}; it cannot answer with {tokens}"
            )
        config.visual_tokens = require_reachable(config.compressor, config.grid_side, tokens)
    model: ParetokenModel = load_weights(ParetokenModel, folder, config=config)
    return model


def demand_own(folder: Path) -> None:
    """Refuse a directory that holds no model of this project.

    `transformers` would fill in what its configuration lacks: a language model of billions of random
    weights, for example.

    Raises:
        UserError: it holds none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no directory; expected a model as `paretoken train` writes it")
    config = read_object(folder / "config.json")
    text = config.get("text_config")
    own = config.get("model_type") == ParetokenModel.config_class.model_type
    if not own or not isinstance(text, dict) or "hidden_size" not in text:
        raise UserError(f"{folder} holds no model that `paretoken train` wrote")


def _features(model: ParetokenModel, path: Path) -> FeatureStore:
    store, config = FeatureStore(path), model.config
    if config.visual_tokens == 0:
        return store
    if specification(config.compressor).smaller_images:
        raise UserError(f"{config.compressor} reads smaller images: give --images, not --features")
    layers = list(config.feature_layers)
    expected = (layers, bool(config.normalise_features))
    found = (list(store.layers), bool(store.index["normalised"]))
    if found != expected:
        words = [f"layers {own}, {'' if normalised else 'not '}normalised" for own, normalised in
                 (found, expected)]  # fmt: skip
        raise UserError(
            f"{path} holds {words[0]}, the model was trained on {words[1]}; compute its features with "
            "the same --layers and --normalise"
        )
    shape, made = [len(layers), config.grid_side**2, config.vision_width], store.index["shape"][1:]
    if made != shape:
        raise UserError(
            f"{path} holds features of the shape {made} (layers, patches, width), the model was trained "
            f"on {shape}; compute them with the encoder that it was trained with"
        )
    if config.encoder_hash is not None:  # models of before do not say
        store.require_encoder(config.encoder_hash)
    return store
