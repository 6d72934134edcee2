"""Average pooling over square regions, the baseline without weights."""

from __future__ import annotations

from torch import Tensor

from paretoken.compressors.base import Compressor, Layout, regions


class AveragePool(Compressor):
    """A compressor whose visual tokens are the means of s x s patches."""

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.width = layout.joined_width

    def forward(self, features: Tensor) -> Tensor:
        """Return the mean patch of each region (images, V, width)."""
        patches = self.joined(features)
        return regions(patches, self.layout.side, self.region).mean(dim=2)
