"""MQT: elastic queries, of which the first m can be used for any m; one model serves every V."""

from __future__ import annotations

from paretoken.compressors.specification import Elastic, Products, Sizes, Specification

#: The published number of elastic queries (MQT-LLaVA); a smaller grid uses fewer.
MOST_QUERIES = 256


def any_prefix(side: int) -> range:
    """Return the possible numbers of queries: from 1 to one per patch, and at most 256."""
    return range(1, min(MOST_QUERIES, side * side) + 1)


def drawn_counts(side: int) -> list[int]:
    """Return the numbers that training draws from: 2, 4, 6, ... as published, and 1."""
    return [1, *range(2, any_prefix(side)[-1] + 1, 2)]


def _parameters(sizes: Sizes) -> int:
    queries = any_prefix(sizes.side)[-1] * sizes.joined
    attention, norms = 4 * (sizes.joined**2 + sizes.joined), 3 * 2 * sizes.joined
    return queries + attention + norms


def _products(sizes: Sizes) -> Products:
    # Queries, keys (positions only, the same for every image), values and output.
    weights = (2 * sizes.tokens + 2 * sizes.patches) * sizes.joined**2
    return Products(weights=weights, attention=2 * sizes.tokens * sizes.patches * sizes.joined)


def _activations(sizes: Sizes) -> float:
    # Of a patch the input, the norm, and keys and values with their inputs; of a query about as much.
    return (5 * sizes.patches + 3 * sizes.tokens) * sizes.joined


MATRYOSHKA_QUERY = Specification(
    name="matryoshka_query",
    title="MQT",
    source="Hu et al., Matryoshka Query Transformer, and its authors' code",
    module="paretoken.compressors.matryoshka_query_module:MatryoshkaQuery",
    reach=any_prefix,
    published="MQT-LLaVA",
    elastic=Elastic(counts=drawn_counts, every=False),
    attends=True,
    heads=16,
    init_std=0.02,
    parameters=_parameters,
    products=_products,
    activations=_activations,
)
