"""Storing the result of a stage: the adapter, or the model with its tokenizer and encoder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import torch
from torch import nn

from paretoken.data.labels import ChatEncoder
from paretoken.data.tokenizers import load_tokenizer
from paretoken.model_files.pretrained import saving
from paretoken.models.assemble import attach_encoder, save_adapter
from paretoken.models.language import add_stop_token
from paretoken.models.vision import encoded_side, load_encoder
from paretoken.models.vlm import ParetokenModel
from paretoken.train.inputs import StageInputs
from paretoken.train.recipe import Recipe


def store(
    model: ParetokenModel, inputs: StageInputs, recipe: Recipe, sources: Mapping[str, str]
) -> None:
    """Write the result of a stage: ``adapter`` after pretrain, ``model`` after finetune.

    Args:
        model: the trained model.
        inputs: inputs and output folder.
        recipe: how it was trained.
        sources: hashes of the sources, see `source_hashes`.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    if recipe.stage == "pretrain":
        with saving(inputs.out / "adapter") as folder:
            save_adapter(model, folder, sources)
        return
    if model.vision_encoder is None and inputs.choice.tokens:
        config = model.config
        side = encoded_side(config.compressor, config.visual_tokens)
        encoder = load_encoder(inputs.vision, config.feature_layers, config.normalise_features, side)
        attach_encoder(model, encoder)
    if recipe.precision == "bf16":
        nn.Module.to(model, torch.bfloat16)
    tokenizer = load_tokenizer(inputs.llm)
    add_stop_token(model, ChatEncoder(tokenizer, model.config.template).end_id)
    with saving(inputs.out / "model") as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        preprocessor = inputs.vision / "preprocessor_config.json"
        if preprocessor.exists():
            shutil.copy(preprocessor, folder)
