"""Smaller images: the image is scaled down to V patches of the encoder.

Source: VTC-Bench (arXiv 2510.07143), in which plain down-sampling is a strong baseline. The encoder
reads sqrt(V) x sqrt(V) patches of its usual size, with interpolated position embeddings
(`paretoken.models.vision`), so this module has nothing to do. The encoder becomes cheaper, too. Stored
features of whole images cannot be used, so images are encoded during training.

Tokens: n x n for every n up to the grid's side.
"""

from __future__ import annotations

from paretoken.compressors.none_module import NoCompression


class Downsample(NoCompression):
    """A compressor that returns the patches of the smaller image."""
