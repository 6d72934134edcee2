"""What a question says, as the language model's own last hidden state: for `quecc`.

Which text it is. The user's first turn of the conversation that shows the image, without the image and
without any template (the authors cut the same text out of Vicuna's template, the only one they support);
a turn without text stands for the word "image", as in their code. Later turns do not change an image's
tokens, which stand before all of them. The embedding is the hidden state at the text's last token,
behind the last norm, without a gradient; it depends on the text alone, so it can be stored. Of a text
longer than a conversation may be (``max_length`` of the recipe) its beginning is read, in training and
prediction.
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

#: Embeddings by the ids of their texts.
Cache = dict[tuple[int, ...], Tensor]


def shortened(questions: Sequence[list[int]], config: ParetokenConfig) -> list[list[int]]:
    """Return the ids of questions, cut where training cut them, or at the model's positions."""
    limit = config.question_length or positions_of(config.text_config)
    return [ids[:limit] for ids in questions]


@torch.no_grad()
def embed_questions(model: PreTrainedModel, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the embeddings of texts (texts, hidden size).

    Args:
        model: the language model.
        ids: (texts, length), padded on either side.
        mask: (texts, length), 0 at padding; at least one 1 per row.
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
    """Return the same, computing only what is not in ``cache``, and put that there."""
    texts = [tuple(row[kept.bool()].tolist()) for row, kept in zip(ids, mask, strict=True)]
    new = list(dict.fromkeys(text for text in texts if text not in cache))
    if new:
        padded, new_mask = pad_right(new)
        found = embed_questions(model, padded.to(ids.device), new_mask.to(ids.device))
        cache.update(zip(new, found, strict=True))
    return torch.stack([cache[text] for text in texts])
