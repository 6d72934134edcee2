"""Merging visual tokens into the input embeddings of the language model."""

from __future__ import annotations

import torch
from torch import Tensor

from paretoken.compressors.base import Compressor
from paretoken.errors import UserError


def merge_image_tokens(embedded: Tensor, places: Tensor, tokens: Tensor) -> Tensor:
    """Return input embeddings with the placeholders replaced by visual tokens, in reading order.

    Args:
        embedded: input embeddings (batch, length, width).
        places: (batch, length), true at the placeholders of visual tokens.
        tokens: visual tokens (images, V, width) or (all tokens, width).

    Raises:
        UserError: the number of placeholders is not that of the tokens.
    """
    tokens = tokens.to(embedded.dtype)
    flat = tokens.flatten(0, -2)
    if int(places.sum()) != len(flat):
        raise UserError(
            f"input_ids hold {int(places.sum())} image placeholders, but the images make "
            f"{len(tokens)} x {len(flat) / max(1, len(tokens)):g} visual tokens; give a placeholder "
            "for each of them"
        )
    return embedded.masked_scatter(places.unsqueeze(-1), flat)


def reduce_tokens(compressor: Compressor, tokens: Tensor, counts: Tensor | None, V: int) -> Tensor:
    """Return the tokens of an elastic compressor, reduced to V, or to ``counts``, per image.

    Args:
        compressor: the elastic compressor.
        tokens: the largest number of tokens (places, most, hidden size).
        counts: tokens per place (places,); None: V.
        V: tokens per place without ``counts``.

    Returns:
        (places, V, hidden size), or (all tokens, hidden size) with ``counts``.
    """
    if counts is None:
        return compressor.reduce(tokens, V)
    if not len(counts):
        return tokens.flatten(0, 1)
    wanted = counts.tolist()
    made: list[Tensor] = [tokens[0]] * len(wanted)
    for count in sorted(set(wanted)):
        own = [place for place, each in enumerate(wanted) if each == count]
        shrunk = compressor.reduce(tokens[own], count)
        for place, each in zip(own, shrunk, strict=True):
            made[place] = each
    return torch.cat(made)
