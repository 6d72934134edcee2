"""Inspecting a model directory: its parameters, its tokenizer, its preprocessor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from paretoken.costs.shapes import decoder_shape, encoder_shape
from paretoken.data.conversations import Conversation
from paretoken.data.image_places import IMAGE_TEXT
from paretoken.data.labels import ChatEncoder
from paretoken.data.preprocessor import read_preprocessor
from paretoken.data.tokenizers import CHAT, load_tokenizer
from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.model_files.model_json import read_model_json
from paretoken.model_files.pretrained import count_parameters, load_pretrained
from paretoken.models.language import require_stop_tokens
from paretoken.models.vision import grid_side, read_vision_config, require_image_size

_EXAMPLE = Conversation("", "image", (f"{IMAGE_TEXT}\nWhat is this?", "A cat.", "And that?", "A dog."))


def inspect_llm(folder: Path, template: str = CHAT) -> dict[str, Any]:
    """Count a language model's parameters without its weights, and try its tokenizer.

    Args:
        folder: its directory.
        template: the chat template that it will be used with.

    Returns:
        ``parameters``, ``non_embedding``, ``model_type``, ``template``, ``end_of_answer`` and
        ``vocabulary``.

    Raises:
        UserError: its config, tokenizer or template cannot be used, or do not fit each other.
    """
    require_plain_weights(folder)
    require_stop_tokens(folder)
    config = load_pretrained(AutoConfig, folder)
    if hasattr(config, "vision_config"):
        raise UserError(
            f"{folder} holds a {config.model_type} that reads images itself; give a text model"
        )
    shape = decoder_shape(config.to_dict())
    parameters = count_parameters(AutoModelForCausalLM, config, folder)
    tokenizer = load_tokenizer(folder)
    encoder = ChatEncoder(tokenizer, template)
    encoder.encode_each([_EXAMPLE])  # a small vocabulary may lack its words; the template must work
    largest = max(number for word, number in tokenizer.get_vocab().items() if word != IMAGE_TEXT)
    if largest >= config.vocab_size:
        raise UserError(
            f"the tokenizer in {folder} has a token {largest}, the model's embedding "
            f"{config.vocab_size} rows; they are not of the same model"
        )
    return {
        "parameters": parameters,
        "non_embedding": shape.parameters()["non_embedding"],
        "model_type": config.model_type,
        "template": template,
        "end_of_answer": tokenizer.convert_ids_to_tokens(encoder.end_id),
        "vocabulary": {"rows": config.vocab_size, "tokens": len(tokenizer)},
    }


def inspect_vision(folder: Path) -> dict[str, Any]:
    """Count the parameters of a vision tower without its weights, and read its preprocessor.

    Returns:
        ``parameters`` (of the tower alone), ``model_type``, ``grid`` and ``image_size``.

    Raises:
        UserError: its config or preprocessor cannot be used, or they do not fit each other.
    """
    require_plain_weights(folder)
    config = read_vision_config(folder)
    encoder_shape(config.to_dict())
    require_image_size(config, read_preprocessor(folder).size, folder)
    return {
        "parameters": count_parameters(AutoModel, config, folder),
        "model_type": config.model_type,
        "grid": grid_side(config),
        "image_size": config.image_size,
    }


def require_plain_weights(folder: Path) -> None:
    """Require weights that are not quantised, and of a floating-point type of PyTorch's.

    Raises:
        UserError: the directory's config.json names others.
    """
    path = folder / "config.json"
    config = read_model_json(path)
    if config.get("quantization_config"):
        raise UserError(f"{folder} holds quantised weights, which are not trained; fetch the full ones")
    for name in ("dtype", "torch_dtype"):
        value = config.get(name)
        kind = getattr(torch, value, None) if isinstance(value, str) else None
        if value is not None and not (isinstance(kind, torch.dtype) and kind.is_floating_point):
            raise UserError(f"{path} has {name} = {shown(value)}; write float32, bfloat16 or float16")
