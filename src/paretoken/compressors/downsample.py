"""Smaller images: the image is scaled down to V patches of the encoder."""

from __future__ import annotations

from paretoken.compressors.specification import Specification


def any_square(side: int) -> list[int]:
    """Return n x n tokens for every n up to the grid's side."""
    return [n * n for n in range(1, side + 1)]


DOWNSAMPLE = Specification(
    name="downsample",
    title="Smaller image",
    source="VTC-Bench (arXiv 2510.07143)",
    module="paretoken.compressors.downsample_module:Downsample",
    reach=any_square,
    smaller_images=True,
)
