"""Visual tokens in the places of an input that wait for them."""

from __future__ import annotations

import torch
from torch import Tensor

from paretoken.compressors.base import Compressor
from paretoken.errors import UserError


def placed(embedded: Tensor, places: Tensor, tokens: Tensor) -> Tensor:
    """Return input embeddings with visual tokens in their places, in reading order.

    Args:
        embedded: (batch, length, width).
        places: (batch, length), true where a visual token belongs.
        tokens: (images, V, width), or (all tokens, width).

    Raises:
        UserError: there are more or fewer places than tokens.
    """
    tokens = tokens.to(embedded.dtype)
    flat = tokens.flatten(0, -2)
    if int(places.sum()) != len(flat):
        raise UserError(
            f"input_ids hold {int(places.sum())} image placeholders, the images make "
            f"{len(tokens)} x {len(flat) / max(1, len(tokens)):g} visual tokens"
        )
    return embedded.masked_scatter(places.unsqueeze(-1), flat)


def reduced(compressor: Compressor, tokens: Tensor, counts: Tensor | None, V: int) -> Tensor:
    """Return an elastic compressor's tokens, V of each image or as many as ``counts`` says.

    Args:
        compressor: reduces them.
        tokens: (places, most, hidden size).
        counts: (places,), or None.
        V: tokens of each image without ``counts``.

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
