"""M3: nested tokens by average pooling after the projector; one model serves every scale."""

from __future__ import annotations

from paretoken.compressors.reach import square_regions
from paretoken.compressors.specification import Elastic, Sizes, Specification


def _every_patch(sizes: Sizes) -> float:
    return sizes.patches


MATRYOSHKA_POOLING = Specification(
    name="matryoshka_pooling",
    title="M3",
    source="Cai et al., Matryoshka Multimodal Models, and its authors' code",
    module="paretoken.compressors.matryoshka_pooling_module:MatryoshkaPooling",
    reach=square_regions,
    published="M3",
    elastic=Elastic(counts=square_regions, every=True),
    projected=_every_patch,
)
