"""TokenPacker: each visual token is a point query that attends to its region of the grid."""

from __future__ import annotations

from functools import partial

from paretoken.compressors.reach import square_regions
from paretoken.compressors.region_attention import (
    attention_parameters,
    attention_products,
    four_layers,
    kept_by_attention,
    one_layer,
)
from paretoken.compressors.specification import Products, Sizes, Specification


def point_query_parameters(sizes: Sizes) -> int:
    """Return the number of parameters of region attention and its query map, which has no bias."""
    return attention_parameters(sizes) + sizes.width**2


def point_query_products(sizes: Sizes, queries: float | None = None) -> Products:
    """Return the multiplications of region attention with ``queries`` point queries (None: V)."""
    count = sizes.tokens if queries is None else queries
    return attention_products(sizes, count, first=count * sizes.width**2)


#: Common properties of compressors whose queries are points of the grid.
point_queries = partial(
    Specification,
    reach=square_regions,
    reads_query_layer=True,
    query_layer=-2,
    layers=four_layers,
    attends=True,
    heads=8,
    init_std=0.02,
    channels=one_layer,
    parameters=point_query_parameters,
    products=point_query_products,
    activations=kept_by_attention,
)

TOKENPACKER = point_queries(
    name="tokenpacker",
    title="TokenPacker",
    source="Li et al., TokenPacker (arXiv 2407.02392), and its authors' code",
    module="paretoken.compressors.tokenpacker_module:TokenPacker",
    published="TokenPacker",
)
ANTIALIASED = point_queries(
    name="tokenpacker_antialiased",
    title="TokenPacker, antialiased queries",
    source="TokenPacker with anti-aliased interpolation",
    module="paretoken.compressors.tokenpacker_module:AntialiasedTokenPacker",
)
POOLED = point_queries(
    name="tokenpacker_pooled",
    title="TokenPacker, pooled queries",
    source="TokenPacker with the means of regions as queries",
    module="paretoken.compressors.tokenpacker_module:PooledTokenPacker",
)
