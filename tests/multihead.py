"""The attention of one query per region as the authors of TokenPacker and QueCC compute it."""

from __future__ import annotations

from torch import Tensor, nn


def multihead(attention: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return outputs (..., width) by `torch.nn.MultiheadAttention`, each region a sequence.

    Args:
        attention: the weights; a subclass's own ``forward`` is not used.
        query: (..., width).
        key: (..., n, width).
        value: (..., n, width).
    """
    keys, width = key.shape[-2:]
    read, _ = nn.MultiheadAttention.forward(
        attention,
        query.reshape(-1, 1, width),
        key.reshape(-1, keys, width),
        value.reshape(-1, keys, width),
        need_weights=False,
    )
    return read.view(query.shape)
