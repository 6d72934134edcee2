"""Random patches: V patches that are drawn once; the baseline that pruning methods must beat.

Source: UniPruneBench (arXiv 2511.02650) and VTC-Bench (arXiv 2510.07143), in which it is strong. The
patches are drawn once per seed. They are the same for all images of a model and in reading order, so
that answers do not depend on chance at inference.

Tokens: any number from 1 to the number of patches.
"""

from __future__ import annotations

import torch
from torch import Tensor

from paretoken.compressors.base import Compressor, Layout


class RandomPatches(Compressor):
    """A compressor with a fixed random choice of patches, which is stored with the weights."""

    places: Tensor

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.width = layout.joined_width
        drawn = torch.rand(layout.side**2).argsort()[:tokens]
        self.register_buffer("places", drawn.sort().values)

    def forward(self, features: Tensor) -> Tensor:
        """Return the chosen patches (images, V, width)."""
        return self.joined(features)[:, self.places]
