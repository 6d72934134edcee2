"""Smaller images: the image is scaled down until the encoder makes V patches of it.

Source: VTC-Bench (arXiv 2510.07143), in which plain down-sampling is a strong baseline. The encoder
reads sqrt(V) x sqrt(V) patches of its own size, with its position embeddings interpolated
(`paretoken.models.vision`); nothing is left to do here. It also makes the encoder cheaper. Features of
whole images cannot be used: images are encoded while training.

Tokens: n x n for every n up to the grid's side.
"""

from __future__ import annotations

from paretoken.compressors.none_module import NoCompression


class Downsample(NoCompression):
    """Pass the patches of the smaller image on."""
