"""Costs of compressors whose queries attend to their own regions, without the costs of the queries."""

from __future__ import annotations

from paretoken.compressors.specification import Products, Sizes, linear_layers


def four_layers(depth: int) -> tuple[int, ...]:
    """Return layers 12, 16, 22 and 23 of the 24 of CLIP ViT-L, or the same shares of another depth."""
    return tuple(sorted({depth // 2, round(depth * 2 / 3), max(0, depth - 2), depth - 1}))


def one_layer(sizes: Sizes) -> int:
    """Return the channels of one encoder layer, to which keys and values are mapped."""
    return sizes.width


def attention_parameters(sizes: Sizes) -> int:
    """Return the number of parameters of key map, value map, attention and the three norms."""
    maps = 2 * linear_layers(sizes.joined, sizes.width, sizes.width)
    attention, norms = 4 * (sizes.width**2 + sizes.width), 3 * 2 * sizes.width
    return maps + attention + norms


def attention_products(
    sizes: Sizes, queries: float, first: float = 0.0, weights: float = 0.0
) -> Products:
    """Return the multiplications of keys, values, attention and queries.

    Args:
        sizes: the sizes of the grid and its channels.
        queries: number of queries.
        first: multiplications of weights by frozen input that make the queries.
        weights: multiplications of weights by other input that make the queries.
    """
    width, patches = sizes.width, sizes.patches
    return Products(
        first=2 * patches * sizes.joined * width + first,
        weights=2 * patches * width * 2 * width + 2 * queries * width**2 + weights,
        attention=2 * patches * width,
    )


def kept_by_attention(sizes: Sizes) -> float:
    """Return how many numbers of one image are kept for the backward pass.

    These are inputs and outputs: the joined layers; for keys and for values both layers of their map,
    its activation, the norm and the attention's own map; and of each query about as many.
    """
    return sizes.patches * (sizes.joined + 10 * sizes.width) + 5 * sizes.tokens * sizes.width
