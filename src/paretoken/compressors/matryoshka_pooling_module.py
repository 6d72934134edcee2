"""M3: nested tokens by average pooling behind the projector; one model serves every scale.

Source: Cai et al., "Matryoshka Multimodal Models", and its authors' code: all patches are projected,
then pooled in two dimensions; the loss of a conversation is the mean over all scales. Here the scales
are all square regions that tile the grid (the authors: 576, 144, 36, 9 and 1 of 24 x 24), since the
tables ask for 16 and 4 too, and training starts like every other method's, with all tokens in stage 1
(the authors start from a finished LLaVA-1.5 and train the encoder too).

Tokens: (side / s)^2 for every s that divides the grid's side; 1, 4, 9, 16, 36, 64, 144, 576 of 24 x 24.
"""

from __future__ import annotations

from torch import Tensor

from paretoken.compressors.base import Layout, regions
from paretoken.compressors.none_module import NoCompression


class MatryoshkaPooling(NoCompression):
    """Passes all patches on to the projector and pools what comes out."""

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, tokens)
        self.side = layout.side

    def reduce(self, projected: Tensor, tokens: int) -> Tensor:
        """Return the means of projected patches (images, patches, hidden) over ``tokens`` regions."""
        return regions(projected, self.side, self.side // round(tokens**0.5)).mean(dim=2)
