"""TokenPacker: each visual token is a point query that attends to its region of the grid.

Source: Li et al., "TokenPacker: Efficient Visual Projector for Multimodal LLM", and the class of that
name in its authors' code. Kept as they are: queries by bilinear interpolation without anti-aliasing
(a region of even size is represented by its 4 central patches only, an odd one by its centre; keys
and values see everything), no residual around the attention, normal(0, 0.02) weights, zero biases.
Two variants differ in the queries only: interpolated with anti-aliasing, or averaged over the region.

Tokens: (side / s)^2 for every s that divides the grid's side; 1, 4, 9, 16, 36, 64, 144, 576 of 24 x 24.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from paretoken.compressors.base import Compressor, Layout, regions
from paretoken.errors import UserError

EPSILON = 1e-6


class RegionAttention(Compressor):
    """Keys and values from several layers, concatenated; each query attends to its region of them.

    A subclass makes the queries, one per region. Shared by TokenPacker and QueCC.
    """

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.width = width = layout.width
        if width % layout.heads:
            raise UserError(
                f"compressor_heads = {layout.heads} does not divide the encoder's width {width}"
            )
        self.key_map = two_layers(layout.joined_width, width)
        self.value_map = two_layers(layout.joined_width, width)
        self.query_norm = nn.LayerNorm(width, eps=EPSILON)
        self.key_norm = nn.LayerNorm(width, eps=EPSILON)
        self.value_norm = nn.LayerNorm(width, eps=EPSILON)
        self.attention = nn.MultiheadAttention(width, layout.heads, batch_first=True)

    def attend(self, query: Tensor, features: Tensor) -> Tensor:
        """Return what queries (images, V, width) read in their regions (images, V, width)."""
        side, size, width = self.layout.side, self.region, self.width
        joined = self.joined(features)
        key = regions(self.key_norm(self.key_map(joined)), side, size)  # (images, V, s s, width)
        value = regions(self.value_norm(self.value_map(joined)), side, size)
        packed, _ = self.attention(
            query.reshape(-1, 1, width),
            key.reshape(-1, size * size, width),
            value.reshape(-1, size * size, width),
            need_weights=False,
        )
        tokens: Tensor = packed.view(features.shape[0], -1, width)
        return tokens


class TokenPacker(RegionAttention):
    """Point queries from one layer, as published: bilinear, without anti-aliasing."""

    antialias = False

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.query_map = nn.Linear(self.width, self.width, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the visual tokens (images, V, width)."""
        return self.attend(self.query_norm(self.query_map(self.points(features))), features)

    def points(self, features: Tensor) -> Tensor:
        """Return the bilinear down-sampling of the query layer (images, V, width)."""
        side = self.layout.side
        patches = features[:, self.layout.query]
        if self.region == 1:
            return patches
        grid = patches.transpose(1, 2).reshape(len(patches), -1, side, side).float()
        count = side // self.region
        small = functional.interpolate(
            grid, size=(count, count), mode="bilinear", align_corners=False, antialias=self.antialias
        )
        return small.flatten(2).transpose(1, 2).to(patches.dtype)


class AntialiasedTokenPacker(TokenPacker):
    """Queries by bilinear interpolation with anti-aliasing: a triangle over the region and around it."""

    antialias = True


class PooledTokenPacker(TokenPacker):
    """Queries are the means of their regions."""

    def points(self, features: Tensor) -> Tensor:
        """Return the mean patch of the query layer in each region (images, V, width)."""
        patches = features[:, self.layout.query]
        return regions(patches, self.layout.side, self.region).mean(dim=2)


def two_layers(width_in: int, width: int) -> nn.Sequential:
    """Return Linear, GELU, Linear."""
    return nn.Sequential(nn.Linear(width_in, width), nn.GELU(), nn.Linear(width, width))
