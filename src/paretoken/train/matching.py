"""Checks that the parts of a stage fit each other, made before any weight is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paretoken.data.encoded import EncodedSet
from paretoken.data.image_places import IMAGE_TEXT
from paretoken.data.tokenizers import load_tokenizer, vocabulary_hash
from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.io.files import read_object
from paretoken.io.json_values import require_few_values
from paretoken.model_files.positions import positions_of
from paretoken.model_files.weight_files import open_safetensors
from paretoken.models.assemble import ADAPTER_FILE
from paretoken.models.configuration import ParetokenConfig

#: Keys in which an adapter's configuration must equal that of the model that stage 2 trains.
SHARED = (
    "compressor", "visual_tokens", "grid_side", "vision_width", "layers", "query_layer",
    "attention_layers", "normalise_features", "compressor_heads", "projector_width", "whiten",
)  # fmt: skip


def require_vocabulary(data: EncodedSet, tokens: Path, llm: Path, config: ParetokenConfig) -> None:
    """Require that conversations were tokenized with the language model's vocabulary.

    Args:
        data: the conversations.
        tokens: their folder.
        llm: directory of the language model.
        config: configuration of the model to train.

    Raises:
        UserError: the vocabulary is another one, or an id is not a row of the model's embedding.
    """
    tokenizer = load_tokenizer(llm)
    image = tokenizer.convert_tokens_to_ids(IMAGE_TEXT)
    again = f"run `paretoken tokenize --llm {llm}` again"
    known = data.vocabulary in (None, vocabulary_hash(tokenizer))
    if not known or data.image_token_id != image:
        raise UserError(f"{tokens} was not tokenized with the vocabulary of {llm}; {again}")
    rows, largest = config.text_config.vocab_size, data.largest_id()
    if largest >= rows:
        raise UserError(
            f"{tokens} holds the token id {largest}, but the embedding of {llm} has the rows 0 to "
            f"{rows - 1}; they are not of the same model; {again}"
        )


def require_positions(max_length: int, llm: Path, config: ParetokenConfig) -> None:
    """Raise `UserError` if ``max_length`` exceeds the positions of the language model."""
    positions = positions_of(config.text_config)
    if positions is not None and max_length > positions:
        raise UserError(
            f"the recipe's max_length = {max_length} exceeds the {positions} positions of {llm} "
            f"(max_position_embeddings); lower it: --set max_length={positions}"
        )


def require_adapter(adapter: Path, config: ParetokenConfig, sources: dict[str, str]) -> None:
    """Require that stage 1 trained an adapter for the same choice, encoder and language model.

    Args:
        adapter: the folder that stage 1 wrote.
        config: configuration of the model to train.
        sources: hashes of its encoder and language model; adapters of older versions lack them.

    Raises:
        UserError: the adapter does not fit; the message names the difference.
    """
    stored = read_object(adapter / "config.json")
    differing = [key for key in SHARED if key in stored and stored[key] != getattr(config, key)]
    if differing:
        key = differing[0]
        raise UserError(
            f"{adapter} was trained with {key} = {shown(stored[key])}, but this stage "
            f"has {shown(getattr(config, key))}; use the stage-1 result of the same choice, or train one"
        )
    named = _metadata(adapter / ADAPTER_FILE)
    other = [part for part in sources if named.get(part, sources[part]) != sources[part]]
    if other:
        called = {"llm": "language model", "vision": "vision encoder"}[other[0]]
        raise UserError(
            f"{adapter} was trained with a {called} that differs from --{other[0]}; give the same one "
            "to both stages, or train stage 1 again"
        )


def _metadata(path: Path) -> dict[str, Any]:
    with open_safetensors(path) as stream:
        text = (stream.metadata() or {}).get("sources", "{}")
    require_few_values(text.encode(), str(path))
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} does not say what it was trained with: {shown(error)}") from error
