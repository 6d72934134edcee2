"""The language model: any decoder-only class that `AutoModelForCausalLM` builds from a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedModel,
)

from paretoken.costs.shapes import decoder_shape
from paretoken.data.collation import IGNORED
from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.model_files.model_json import read_model_json
from paretoken.model_files.pretrained import load_pretrained, load_weights

#: Fields of a config with which logits are not just ``lm_head(hidden states)``.
SCALED_LOGITS = ("final_logit_softcapping", "logits_scaling", "logit_scale", "lm_head_multiplier")


def load_language_model(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load a causal language model.

    Raises:
        UserError: the directory cannot be loaded, its end tokens are invalid, or
            `paretoken.costs.shapes` does not support its family (checked here, not after training).
    """
    require_stop_tokens(folder)
    decoder_shape(load_pretrained(AutoConfig, folder).to_dict())
    model: PreTrainedModel = load_weights(AutoModelForCausalLM, folder, dtype=dtype)
    return model


def greedy_generation_config(
    generation: GenerationConfig | None, image_token_id: int
) -> GenerationConfig:
    """Return a greedy generation config with the special tokens of another one.

    Chat models ship sampling temperatures and repetition penalties (Qwen1.5: 1.1), but benchmarks are
    answered greedily. A penalty would also look up the placeholder of images, which may lie outside the
    vocabulary, and `save_pretrained` rejects a temperature without sampling, as Vicuna-1.5 ships it. The
    placeholder is suppressed: a model that generated it would require an image for it.
    """
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    kind: Any = GenerationConfig  # untyped
    tokens = {name: getattr(generation, name, None) for name in names}
    made: GenerationConfig = kind(**tokens, suppress_tokens=[image_token_id])
    return made


def stop_ids(generation: GenerationConfig | None) -> list[int]:
    """Return the ids of the tokens that end a generation; empty if there are none."""
    ids = getattr(generation, "eos_token_id", None)
    return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)


def require_stop_tokens(folder: Path) -> None:
    """Require that the generation config of a model directory is valid, including its end tokens.

    For a file that is not JSON, `transformers` silently uses a default config, with which the answers of
    a chat model do not stop at their end.

    Raises:
        UserError: the file is damaged, or an ``eos_token_id`` is not a whole number from 0.
    """
    path = folder / "generation_config.json"
    if not path.is_file():
        return
    value = read_model_json(path).get("eos_token_id")
    ids = value if isinstance(value, list) else [] if value is None else [value]
    if not all(type(number) is int and number >= 0 for number in ids):
        raise UserError(
            f"{path} has eos_token_id = {shown(value)}; it must be a token id, or a list of token ids"
        )


def add_stop_token(model: PreTrainedModel, token: int) -> None:
    """Add ``token`` to the tokens at which generation stops."""
    generation: Any = model.generation_config
    generation.eos_token_id = sorted({*stop_ids(generation), token})


def answer_loss(
    model: PreTrainedModel, hidden: Tensor, labels: Tensor, items: Tensor | int | None
) -> Tensor:
    """Return the cross entropy of the labelled tokens; only their logits are computed.

    Args:
        model: the language model with the output layer.
        hidden: last hidden states (batch, length, width).
        labels: (batch, length) token ids, `IGNORED` where there is no loss; they are shifted here.
        items: number of labelled tokens in the global batch; None: that of this batch.

    Returns:
        The sum over tokens divided by ``items``: summed over micro batches, the mean over the global
        batch.
    """
    targets = labels[:, 1:]
    chosen = targets != IGNORED
    head: nn.Module = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    logits = head(hidden[:, :-1][chosen])
    return _mean(logits, targets[chosen], items)


def full_loss(logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
    """Return the loss of `answer_loss` from the logits of all positions (batch, length, vocabulary)."""
    targets = labels[:, 1:]
    chosen = targets != IGNORED
    return _mean(logits[:, :-1][chosen], targets[chosen], items)


def _mean(logits: Tensor, targets: Tensor, items: Tensor | int | None) -> Tensor:
    total = functional.cross_entropy(logits.float(), targets, reduction="sum")
    count = targets.numel() if items is None else items
    # Without a labelled token the loss is 0 with a gradient of 0, rather than 0 / 0.
    return total / (count.clamp(min=1) if isinstance(count, Tensor) else max(1, count))


def plain_head(config: Any) -> bool:
    """Return whether logits are the output layer of the hidden states without scaling or capping."""
    return all(getattr(config, name, None) in (None, 1, 1.0) for name in SCALED_LOGITS)


def decoder_of(model: PreTrainedModel) -> nn.Module:
    """Return the language model without its output layer."""
    decoder: nn.Module = model.base_model
    return decoder
