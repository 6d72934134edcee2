"""TokenPacker: each visual token is a point query that attends to its region of the grid.

Source: Li et al., "TokenPacker: Efficient Visual Projector for Multimodal LLM", and the class of that
name in its authors' code. As in that code, queries are interpolated bilinearly without anti-aliasing (a
region of even size is represented only by its 4 central patches, one of odd size by its centre; keys
and values cover the whole region), there is no residual around the attention, and the initialisation is
normal(0, 0.02) for weights and zero for biases. Two variants differ only in the queries, which are
interpolated with anti-aliasing, or averaged over the region.

Tokens: (side / s)^2 for every s that divides the grid's side; 1, 4, 9, 16, 36, 64, 144, 576 of 24 x 24.
"""

from __future__ import annotations

from torch import Tensor, nn
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
        self.attention = nn.MultiheadAttention(width, layout.heads, batch_first=True)

    def attend(self, query: Tensor, features: Tensor) -> Tensor:
        """Return the outputs (images, V, width) of queries (images, V, width) for their regions."""
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
    """A compressor with point queries from one layer, as published: bilinear, without anti-aliasing."""

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
    """TokenPacker with anti-aliased bilinear queries: a triangle filter over and around the region."""

    antialias = True


class PooledTokenPacker(TokenPacker):
    """TokenPacker whose queries are the means of their regions."""

    def points(self, features: Tensor) -> Tensor:
        """Return the mean patch of the query layer in each region (images, V, width)."""
        patches = features[:, self.layout.query]
        return regions(patches, self.layout.side, self.region).mean(dim=2)


def two_layers(width_in: int, width: int) -> nn.Sequential:
    """Return Linear, GELU, Linear."""
    return nn.Sequential(nn.Linear(width_in, width), nn.GELU(), nn.Linear(width, width))
