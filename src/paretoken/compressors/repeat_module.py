"""Four tokens, repeated: the paper's test of whether more tokens help without more information.

Source: Li et al., arXiv 2411.03312, section 3.3.2: an image's 4 compressed tokens are given several
times in a row, without any gain. The 4 tokens are TokenPacker's. The language model reads the sequence
of 4 r times, so V = 4 r.

Tokens: 4, 8, 12, ..., up to the number of patches.
"""

from __future__ import annotations

from torch import Tensor

from paretoken.compressors.base import Layout
from paretoken.compressors.repeat import REPEATED
from paretoken.compressors.tokenpacker_module import TokenPacker


class Repeat(TokenPacker):
    """A compressor that repeats TokenPacker's four tokens V / 4 times."""

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__(layout, REPEATED)
        self.times = tokens // REPEATED

    def forward(self, features: Tensor) -> Tensor:
        """Return the sequence of four, repeated (images, V, width)."""
        return super().forward(features).repeat(1, self.times, 1)
