"""PruMerge and PruMerge+: keep the patches that the class token attends to, merge others into them."""

from __future__ import annotations

from dataclasses import replace

from paretoken.compressors.reach import any_count
from paretoken.compressors.specification import Products, Sizes, Specification


def _products(sizes: Sizes) -> Products:
    likeness, mixture = sizes.patches**2 * sizes.width, sizes.tokens * sizes.patches * sizes.joined
    return Products(fixed=likeness + mixture)


PRUMERGE = Specification(
    name="prumerge",
    title="PruMerge",
    source="Shang et al., LLaVA-PruMerge, and its authors' code",
    module="paretoken.compressors.prumerge_module:PruMerge",
    reach=any_count,
    published="LLaVA-PruMerge",
    reads_attention=True,
    adaptive=True,
    products=_products,
)
PRUMERGE_PLUS = replace(
    PRUMERGE,
    name="prumerge_plus",
    title="PruMerge+",
    module="paretoken.compressors.prumerge_module:PruMergePlus",
    published=None,
)
