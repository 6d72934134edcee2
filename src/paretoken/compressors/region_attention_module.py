"""Attention within regions of the grid: one query per region, which reads the region's few patches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from paretoken.compressors.base import Compressor, Layout, regions
from paretoken.errors import UserError

EPSILON = 1e-6


class RegionAttention(Compressor):
    """Base class of TokenPacker and QueCC, whose queries each attend to one region.

    Keys and values come from several concatenated layers. A subclass makes the queries, one per region.
    """

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.width = width = layout.width
        if width % layout.heads:
            raise UserError(
                f"compressor_heads = {layout.heads} does not divide the encoder's width {width}; choose "
                "a number of heads that does"
            )
        self.key_map = two_layers(layout.joined_width, width)
        self.value_map = two_layers(layout.joined_width, width)
        self.query_norm = nn.LayerNorm(width, eps=EPSILON)
        self.key_norm = nn.LayerNorm(width, eps=EPSILON)
        self.value_norm = nn.LayerNorm(width, eps=EPSILON)
        self.attention = OneQueryAttention(width, layout.heads, batch_first=True)

    def attend(self, query: Tensor, features: Tensor) -> Tensor:
        """Return the outputs (images, V, width) of queries (images, V, width) for their regions."""
        side, size = self.layout.side, self.region
        joined = self.joined(features)
        key = regions(self.key_norm(self.key_map(joined)), side, size)  # (images, V, s s, width)
        value = regions(self.value_norm(self.value_map(joined)), side, size)
        tokens: Tensor = self.attention(query, key, value)
        return tokens


class OneQueryAttention(nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` with one query per sequence: the same weights, the same result.

    The fused kernels are made for many queries. With one, the backward pass of FlashAttention pads it
    to 128 rows of fp32 (0.5 MiB per region of 1,024 channels); with a sequence per region of each image,
    its indices overflow above 16,384 sequences, and CUDA refuses to launch it above 65,535. There is no
    matrix product here whose batch could grow with the number of images or regions.
    """

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:  # type: ignore[override]
        """Return outputs (..., width) of queries (..., width) for keys and values (..., n, width)."""
        maps = zip(self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        q, k, v = (
            functional.linear(given, weight, bias).view(*given.shape[:-1], self.num_heads, self.head_dim)
            for given, (weight, bias) in zip((query, key, value), maps, strict=True)
        )
        output: Tensor = self.out_proj(_read(q, k, v).flatten(-2))
        return output


class _Read(torch.autograd.Function):
    """The mean of values, weighted by the softmax of the scaled products of keys and a query.

    Sums and weights are in fp32 at least, and only what was given and the weights is kept for the
    backward pass, so that bf16 stays bf16 in memory.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return (..., heads, c) of q (..., heads, c), k and v (..., n, heads, c)."""
        wide = torch.promote_types(q.dtype, torch.float32)
        scores = (q.to(wide).unsqueeze(-3) * k).sum(-1) / math.sqrt(q.shape[-1])  # (..., n, heads)
        weights = scores.softmax(-2)
        ctx.save_for_backward(q, k, v, weights)
        return (weights.unsqueeze(-1) * v).sum(-3).to(v.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of q, k and v."""
        q, k, v, weights = ctx.saved_tensors
        wide = grad.to(weights.dtype).unsqueeze(-3)
        share = (wide * v).sum(-1)  # the gradient of the weights (..., n, heads)
        share = weights * (share - (weights * share).sum(-2, keepdim=True)) / math.sqrt(q.shape[-1])
        share = share.unsqueeze(-1)
        of_q = (share * k).sum(-3).to(q.dtype)
        of_k = (share * q.unsqueeze(-3)).to(k.dtype)
        return of_q, of_k, (weights.unsqueeze(-1) * wide).to(v.dtype)


#: Typed: `torch.autograd.Function` is not.
_read: Callable[[Tensor, Tensor, Tensor], Tensor] = _Read.apply


def two_layers(width_in: int, width: int) -> nn.Sequential:
    """Return Linear, GELU, Linear."""
    return nn.Sequential(nn.Linear(width_in, width), nn.GELU(), nn.Linear(width, width))
