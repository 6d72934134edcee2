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

from paretoken.compressors.base import Layout, regions
from paretoken.compressors.region_attention_module import RegionAttention


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
