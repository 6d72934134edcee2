"""M3: nested tokens by average pooling after the projector; one model serves every scale.

Source: Cai et al., "Matryoshka Multimodal Models", and its authors' code: all patches are projected,
then pooled in two dimensions; the loss of a conversation is the mean over all scales. Two things
differ here. The scales are all square regions that tile the grid (the authors: 576, 144, 36, 9 and 1
of 24 x 24), since the tables need 16 and 4, too. Training starts as for every other method, with all
tokens in stage 1 (the authors start from a trained LLaVA-1.5 and train the encoder, too).

Tokens: (side / s)^2 for every s that divides the grid's side; 1, 4, 9, 16, 36, 64, 144, 576 of 24 x 24.
"""

from __future__ import annotations

from torch import Tensor

from paretoken.compressors.base import Layout, regions
from paretoken.compressors.none_module import NoCompression


class MatryoshkaPooling(NoCompression):
    """A compressor that passes all patches to the projector and pools the projected patches."""

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.side = layout.side

    def reduce(self, projected: Tensor, tokens: int) -> Tensor:
        """Return the means of projected patches (images, patches, hidden) over ``tokens`` regions."""
        return regions(projected, self.side, self.side // round(tokens**0.5)).mean(dim=2)
