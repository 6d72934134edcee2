"""Parameters and FLOPs of compressors that have either, by name; the projector is counted elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from paretoken.tokens import REPEATED, any_prefix

#: Multiplication and addition.
FLOPS = 2


@dataclass(frozen=True)
class Sizes:
    """What a compressor's cost depends on.

    Attributes:
        tokens: V.
        side: patches per side of the encoder's grid.
        width: channels of one encoder layer.
        joined: channels of the concatenated layers.
        text: hidden size of the language model, the width of a question's embedding.
    """

    tokens: int
    side: int
    width: int
    joined: int
    text: int

    @property
    def patches(self) -> int:
        """Patches of the grid."""
        return self.side**2


@dataclass(frozen=True)
class Products:
    """Multiplications of weights by frozen input, by other input, of activations, and with constants."""

    first: float = 0.0
    weights: float = 0.0
    attention: float = 0.0
    fixed: float = 0.0


def two_layers(width: int, inner: int, out: int) -> int:
    """Return the parameters of two linear layers with biases."""
    return width * inner + inner + inner * out + out


def _region_attention_parameters(s: Sizes) -> int:
    attention, norms = 4 * (s.width**2 + s.width), 3 * 2 * s.width
    return 2 * two_layers(s.joined, s.width, s.width) + attention + norms


def _region_attention(s: Sizes, V: int) -> Products:
    """Return keys, values and attention within regions, without what makes the queries."""
    inner = 2 * s.patches * s.width * 2 * s.width + 2 * V * s.width**2
    return Products(2 * s.patches * s.joined * s.width, inner, 2 * s.patches * s.width)


def _tokenpacker_parameters(s: Sizes) -> int:
    return _region_attention_parameters(s) + s.width**2


def _tokenpacker(s: Sizes) -> Products:
    return _plus(_region_attention(s, s.tokens), first=s.tokens * s.width**2)


def _repeat(s: Sizes) -> Products:
    return _plus(_region_attention(s, REPEATED), first=REPEATED * s.width**2)


def _quecc_parameters(s: Sizes) -> int:
    region = (s.side // math.isqrt(s.tokens)) ** 2
    text = s.text * s.width + s.width + 2 * s.width
    return (
        _region_attention_parameters(s)
        + text
        + two_layers(s.width, s.width, s.width)
        + s.width * region
        + s.width
    )


def _quecc(s: Sizes) -> Products:
    # The patches that the question is added to depend on weights; the convolution reads each once.
    queries = 2 * s.patches * s.width**2 + s.patches * s.width
    return _plus(_region_attention(s, s.tokens), first=s.text * s.width, weights=queries)


def _matryoshka_query_parameters(s: Sizes) -> int:
    most = any_prefix(s.side)[-1]
    return most * s.joined + 4 * (s.joined**2 + s.joined) + 3 * 2 * s.joined


def _matryoshka_query(s: Sizes) -> Products:
    # Queries, keys (positions alone, for each image all the same), values and output.
    inner = (2 * s.tokens + 2 * s.patches) * s.joined**2
    return Products(weights=inner, attention=2 * s.tokens * s.patches * s.joined)


def _prumerge(s: Sizes) -> Products:
    kept = s.tokens
    return Products(fixed=s.patches**2 * s.width + kept * s.patches * s.joined)


def _plus(products: Products, first: float = 0.0, weights: float = 0.0) -> Products:
    return Products(
        products.first + first, products.weights + weights, products.attention, products.fixed
    )


#: Parameters and products by compressor; who is not named has neither.
PARAMETERS: dict[str, Callable[[Sizes], int]] = {
    "tokenpacker": _tokenpacker_parameters,
    "tokenpacker_antialiased": _tokenpacker_parameters,
    "tokenpacker_pooled": _tokenpacker_parameters,
    "repeat": _tokenpacker_parameters,
    "quecc": _quecc_parameters,
    "matryoshka_query": _matryoshka_query_parameters,
}
PRODUCTS: dict[str, Callable[[Sizes], Products]] = {
    "tokenpacker": _tokenpacker,
    "tokenpacker_antialiased": _tokenpacker,
    "tokenpacker_pooled": _tokenpacker,
    "repeat": _repeat,
    "quecc": _quecc,
    "matryoshka_query": _matryoshka_query,
    "prumerge": _prumerge,
    "prumerge_plus": _prumerge,
}


def compressor_parameters(compressor: str, sizes: Sizes) -> int:
    """Return the parameters that a compressor has, fixed tensors left out."""
    return PARAMETERS[compressor](sizes) if compressor in PARAMETERS else 0


def compressor_products(compressor: str, sizes: Sizes) -> Products:
    """Return the multiplications of compressing one image."""
    return PRODUCTS[compressor](sizes) if compressor in PRODUCTS else Products()


def learned_width(compressor: str, width: int, joined: int) -> int:
    """Return the channels of a visual token before the projector."""
    return width if compressor in {*PARAMETERS} - {"matryoshka_query"} else joined


def projected_tokens(compressor: str, sizes: Sizes) -> int:
    """Return how many tokens the projector maps: V, or all patches where pooling comes after it."""
    return sizes.patches if compressor == "matryoshka_pooling" else sizes.tokens
