"""Four tokens, repeated: the paper's test of whether more tokens help without more information."""

from __future__ import annotations

from dataclasses import replace

from paretoken.compressors.region_attention import kept_by_attention
from paretoken.compressors.specification import Products, Sizes
from paretoken.compressors.tokenpacker import point_queries, point_query_products

#: Number of tokens that are repeated; 4, as in section 3.3.2 of the paper.
REPEATED = 4


def repeated(side: int) -> range:
    """Return the multiples of 4 up to the number of patches, if the grid's side is even."""
    return range(REPEATED, side * side + 1 if side % 2 == 0 else 0, REPEATED)


def _products(sizes: Sizes) -> Products:
    return point_query_products(sizes, REPEATED)


def _activations(sizes: Sizes) -> float:
    return kept_by_attention(replace(sizes, tokens=REPEATED))


REPEAT = point_queries(
    name="repeat",
    title="Four tokens, repeated",
    source="Li et al. (arXiv 2411.03312), section 3.3.2; the tokens are TokenPacker's",
    module="paretoken.compressors.repeat_module:Repeat",
    reach=repeated,
    products=_products,
    activations=_activations,
)
