"""MQT: elastic queries, of which the first m can be used for any m; one model serves every V.

Source: Hu et al., "Matryoshka Query Transformer for Large Vision-Language Models", and its authors'
code: learned queries with fixed 2-D sine and cosine positions attend once to all patches, with 16 heads.
Keys are only the patches' positions, values their normalised features; there is no residual.
Stage 1 uses all queries; in stage 2 each conversation uses the first m of them, with m drawn from 1, 2,
4, 6, ... (the authors draw an even m per step; 1 is added here since the tables need it). Their last
step, one matrix into the language model, is replaced by the projector that all methods share here.

Tokens: any number from 1 to min(256, patches).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from paretoken.compressors.base import Compressor, Layout
from paretoken.compressors.matryoshka_query import any_prefix
from paretoken.compressors.region_attention_module import EPSILON
from paretoken.errors import UserError

#: Period of the slowest sine.
SLOWEST = 10_000.0
QUERY_STD = 0.02


class MatryoshkaQuery(Compressor):
    """A compressor whose visual tokens are the outputs of the first V learned queries."""

    query_positions: Tensor
    patch_positions: Tensor

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.width = width = layout.joined_width
        if width % layout.heads or width % 4:
            raise UserError(
                f"compressor_heads = {layout.heads} and 4 must divide the width {width}; choose another "
                "number of heads, or another encoder"
            )
        most = any_prefix(layout.side)[-1]
        self.query = nn.Parameter(torch.empty(most, width))
        nn.init.trunc_normal_(self.query, std=QUERY_STD)
        self.attention = nn.MultiheadAttention(width, layout.heads, batch_first=True)
        self.query_norm = nn.LayerNorm(width, eps=EPSILON)
        self.key_norm = nn.LayerNorm(width, eps=EPSILON)
        self.value_norm = nn.LayerNorm(width, eps=EPSILON)
        positions = sine_positions(math.isqrt(most), width)
        self.register_buffer("query_positions", positions)
        self.register_buffer("patch_positions", resized(positions, layout.side))

    def forward(self, features: Tensor) -> Tensor:
        """Return the outputs of the first V queries (images, V, width)."""
        patches = self.joined(features)
        count, dtype = len(patches), patches.dtype
        query = self.query[: self.tokens] + self.query_positions[: self.tokens].to(dtype)
        key = self.key_norm(self.patch_positions.to(dtype))
        read, _ = self.attention(
            self.query_norm(query).expand(count, -1, -1),
            key.expand(count, -1, -1),
            self.value_norm(patches),
            need_weights=False,
        )
        tokens: Tensor = read
        return tokens

    def reduce(self, projected: Tensor, tokens: int) -> Tensor:
        """Return the first ``tokens`` projected tokens, which do not depend on the others."""
        return projected[:, :tokens]


def sine_positions(side: int, width: int) -> Tensor:
    """Return fixed positions (side * side, width): half the channels encode the column, half the row.

    Each half has the sines, then the cosines, of the coordinate at frequencies from 1 to 1 / 10000.
    """
    quarter = width // 4
    frequency = SLOWEST ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    angle = torch.arange(side, dtype=torch.float64)[:, None] * frequency
    line = torch.cat([angle.sin(), angle.cos()], dim=1)  # (side, width / 2)
    column = line.expand(side, side, -1)
    row = line[:, None].expand(side, side, -1)
    return torch.cat([column, row], dim=2).flatten(0, 1).float()


def resized(positions: Tensor, side: int) -> Tensor:
    """Interpolate positions of a square grid for another one (side * side, width), bicubically."""
    own = math.isqrt(len(positions))
    if own == side:
        return positions.clone()
    grid = positions.view(1, own, own, -1).permute(0, 3, 1, 2)
    made = functional.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return made.flatten(2).transpose(1, 2)[0].contiguous()
