"""QueCC: queries that depend on the question, made by a depthwise convolution over each region."""

from __future__ import annotations

import math

from paretoken.compressors.reach import square_regions
from paretoken.compressors.region_attention import (
    attention_parameters,
    attention_products,
    four_layers,
    kept_by_attention,
    one_layer,
)
from paretoken.compressors.specification import Products, Sizes, Specification, linear_layers


def _parameters(sizes: Sizes) -> int:
    width, region = sizes.width, (sizes.side // round(math.sqrt(sizes.tokens))) ** 2
    text = linear_layers(sizes.text, width) + 2 * width  # with a norm
    convolution = width * region + width
    return attention_parameters(sizes) + text + linear_layers(width, width, width) + convolution


def _products(sizes: Sizes) -> Products:
    # The question is added to the patches, so they depend on weights; the convolution reads each once.
    queries = 2 * sizes.patches * sizes.width**2 + sizes.patches * sizes.width
    return attention_products(sizes, sizes.tokens, first=sizes.text * sizes.width, weights=queries)


def _activations(sizes: Sizes) -> float:
    # Of each patch also what makes its query: the sum, both layers, their activation and the norm.
    return kept_by_attention(sizes) + 5 * sizes.patches * sizes.width


QUECC = Specification(
    name="quecc",
    title="QueCC",
    source="Li et al. (arXiv 2411.03312), section 4 and Fig. 5, and the authors' code",
    module="paretoken.compressors.quecc_module:QueCC",
    reach=square_regions,
    published="QueCC",
    reads_text=True,
    reads_query_layer=True,
    query_layer=-2,
    layers=four_layers,
    attends=True,
    heads=8,
    channels=one_layer,
    parameters=_parameters,
    products=_products,
    activations=_activations,
)
