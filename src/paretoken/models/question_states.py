"""Question embeddings for `quecc`: the language model's last hidden state of a question.

The text is the user's first turn of the conversation that shows the image, without the image and without
a template (the authors cut the same text out of Vicuna's template, the only one they support). An empty
turn is replaced by the word "image", as in their code. Later turns do not affect an image's tokens,
which precede them. The embedding is the hidden state at the text's last token, after the last norm,
without a gradient. It depends on the text alone, so it can be cached. A text longer than ``max_length``
of the recipe is cut to its beginning, in training and prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from paretoken.data.collation import pad_right
from paretoken.model_files.positions import positions_of
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.language import decoder_of

#: Embeddings by the token ids of their texts.
Cache = dict[tuple[int, ...], Tensor]


def shortened(questions: Sequence[list[int]], config: ParetokenConfig) -> list[list[int]]:
    """Return the token ids of questions, cut as in training, or at the model's positions."""
    limit = config.question_length or positions_of(config.text_config)
    return [ids[:limit] for ids in questions]


@torch.no_grad()
def embed_questions(model: PreTrainedModel, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the embeddings of texts (texts, hidden size).

    Args:
        model: the language model.
        ids: token ids (texts, length), padded on either side.
        mask: (texts, length), 0 at padding; each row has at least one 1.
    """
    places = torch.arange(ids.shape[1], device=ids.device)
    last = torch.where(mask.bool(), places, -1).amax(1)
    decoder: Any = decoder_of(model)
    states: Tensor = decoder(
        input_ids=ids.masked_fill(mask == 0, 0),
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        use_cache=False,
    ).last_hidden_state
    return states[torch.arange(len(ids), device=ids.device), last]


def embed_cached(model: PreTrainedModel, ids: Tensor, mask: Tensor, cache: Cache) -> Tensor:
    """Return the embeddings of `embed_questions`, from ``cache`` or computed and added to it."""
    texts = [tuple(row[kept.bool()].tolist()) for row, kept in zip(ids, mask, strict=True)]
    new = list(dict.fromkeys(text for text in texts if text not in cache))
    if new:
        padded, new_mask = pad_right(new)
        found = embed_questions(model, padded.to(ids.device), new_mask.to(ids.device))
        cache.update(zip(new, found, strict=True))
    return torch.stack([cache[text] for text in texts])
