"""Building a model from its parts, and storing and loading the adapter of stage 1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PretrainedConfig

from paretoken.compressors.specification import specification
from paretoken.errors import UserError
from paretoken.io.text_tables import counted
from paretoken.model_files.pretrained import read_tensors
from paretoken.models.adapter import new_adapter
from paretoken.models.configuration import ParetokenConfig, resolve_layer
from paretoken.models.language import greedy_generation_config, load_language_model
from paretoken.models.vision import VisionEncoder, attention_layers, grid_side
from paretoken.models.vlm import ParetokenModel

#: The file with the weights of compressor and projector that stage 1 writes.
ADAPTER_FILE = "adapter.safetensors"
ADAPTER = ("compressor.", "projector.")


@dataclass(frozen=True)
class Choice:
    """How a cell turns images into visual tokens: compressor, V, encoder layers and adapter settings.

    None stands for the compressor's own layers, query layer, heads and standard deviation of new
    weights, and for a projector as wide as the language model.
    """

    compressor: str
    tokens: int
    layers: tuple[int, ...] | None = None
    query_layer: int | None = None
    heads: int | None = None
    init_std: float | None = None
    projector_width: int | None = None
    whiten: bool = False


@dataclass(frozen=True)
class FeatureLayers:
    """The encoder layers that features hold (ascending, from 0), and whether they are normalised."""

    layers: tuple[int, ...]
    normalised: bool = False


def needed_layers(choice: Choice, depth: int) -> tuple[tuple[int, ...], int]:
    """Return the concatenated layers and the query layer, as indices from 0.

    Args:
        choice: the compressor and its layers.
        depth: number of layers of the encoder.
    """
    facts = specification(choice.compressor)
    layers = facts.layers(depth) if choice.layers is None else choice.layers
    resolved = tuple(dict.fromkeys(resolve_layer(layer, depth) for layer in layers))
    own = choice.query_layer
    query = resolve_layer(facts.query_layer if own is None else own, depth)
    # Compressors that do not read a query layer must not require one.
    return resolved, query if facts.reads_query_layer else resolved[-1]


def guiding_layers(choice: Choice, depth: int) -> tuple[int, ...]:
    """Return the indices of the encoder's last attention if the compressor reads it, else ()."""
    return attention_layers(depth) if specification(choice.compressor).reads_attention else ()


def feature_layers(choices: Sequence[Choice], depth: int) -> tuple[int, ...]:
    """Return all layers that any of some choices needs, ascending."""
    needed: set[int] = set()
    for choice in choices:
        layers, query = needed_layers(choice, depth)
        needed |= {*layers, query, *guiding_layers(choice, depth)}
    return tuple(sorted(needed))


def configure(
    text: PretrainedConfig,
    vision: PretrainedConfig,
    choice: Choice,
    features: FeatureLayers,
    image_token_id: int,
) -> ParetokenConfig:
    """Return the configuration of a cell's model without its encoder."""
    layers, query = needed_layers(choice, vision.num_hidden_layers)
    return ParetokenConfig(
        text_config=text,
        compressor=choice.compressor,
        visual_tokens=choice.tokens,
        grid_side=grid_side(vision),
        vision_width=vision.hidden_size,
        feature_layers=features.layers,
        layers=layers,
        query_layer=query,
        attention_layers=guiding_layers(choice, vision.num_hidden_layers),
        normalise_features=features.normalised,
        compressor_heads=choice.heads,
        init_std=choice.init_std,
        projector_width=choice.projector_width,
        whiten=choice.whiten,
        image_token_id=image_token_id,
    )


def assemble(
    llm: Path,
    vision: PretrainedConfig,
    choice: Choice,
    features: FeatureLayers,
    image_token_id: int,
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> ParetokenModel:
    """Return a model around a trained language model, with a new compressor and projector.

    Args:
        llm: directory of the language model.
        vision: configuration of the encoder; the encoder itself is attached by `attach_encoder`.
        choice: compressor, tokens and layers.
        features: which layers the features hold.
        image_token_id: id of the placeholder of visual tokens.
        seed: seed of the new weights; models of one seed and shape start with equal weights.
        dtype: type of the language model's weights.

    Raises:
        UserError: a directory cannot be loaded, or the compressor cannot make this number of tokens.
    """
    language_model = load_language_model(llm, dtype)
    config = configure(language_model.config, vision, choice, features, image_token_id)
    with torch.device("meta"):  # without memory: all weights are replaced below
        model = ParetokenModel(config)
    model.language_model = language_model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.compressor, model.projector = new_adapter(config)
    model.generation_config = greedy_generation_config(language_model.generation_config, image_token_id)
    return model


def attach_encoder(model: ParetokenModel, encoder: VisionEncoder) -> None:
    """Add the encoder, so that the model accepts pixel_values and is stored with it."""
    model.vision_encoder = encoder
    config: Any = encoder.tower.config
    model.config.vision_config = config


def save_adapter(model: ParetokenModel, folder: Path, sources: Mapping[str, str]) -> None:
    """Write the compressor's and the projector's weights and the model's configuration.

    Args:
        model: the model that stage 1 trained.
        folder: folder to write to.
        sources: hashes of the language model and the encoder, stored in the metadata of the weights.
    """
    tensors = {k: v.contiguous() for k, v in model.state_dict().items() if k.startswith(ADAPTER)}
    # safetensors writes several entries in random order; one entry keeps the bytes reproducible.
    named = {"sources": json.dumps(dict(sources), sort_keys=True)}
    save_file(tensors, folder / ADAPTER_FILE, metadata=named)
    model.config.save_pretrained(folder)


def load_adapter(model: ParetokenModel, folder: Path) -> None:
    """Load the weights that `save_adapter` wrote into a model.

    Raises:
        UserError: the file is missing, damaged, or of a model with another shape.
    """
    tensors = read_tensors(folder / ADAPTER_FILE)
    expected = {k: v.shape for k, v in model.state_dict().items() if k.startswith(ADAPTER)}
    wrong = sorted(
        {k for k, v in tensors.items() if expected.get(k) != v.shape} | (set(expected) - set(tensors))
    )
    if wrong:
        raise UserError(
            f"{folder / ADAPTER_FILE} does not fit this model, for example in the shape of {wrong[0]} "
            f"({counted(len(wrong), 'tensor')} in all); use the stage-1 result of the same language "
            "model, compressor and tokens"
        )
    model.load_state_dict(tensors, strict=False)
