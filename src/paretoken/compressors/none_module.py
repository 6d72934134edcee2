"""No compression: every patch is a visual token, as in LLaVA-1.5 (its MLP is the projector)."""

from __future__ import annotations

from torch import Tensor

from paretoken.compressors.base import Compressor, Layout


class NoCompression(Compressor):
    """A compressor that returns all patches; LLaVA-1.5 reads ``hidden_states[-2]``."""

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.width = layout.joined_width

    def forward(self, features: Tensor) -> Tensor:
        """Return the patches of the chosen layers (images, patches, width)."""
        return self.joined(features)
