"""A fixed affine map in front of the projector that makes its inputs white.

Averages over many patches vary little and along few directions; a projector then learns slowly, and
the slower the fewer tokens there are. Whitened inputs remove that difference, so that token counts
are compared at equal ease of training. It stands apart from the projector's first layer, into which
it could be folded: folded, it would be trained, and Adam's steps would undo what it is for. And it
stands behind the compressor, not in the cached features: each V needs its own, and all share those.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from paretoken.data.collation import VisualStore
from paretoken.models.vlm import ParetokenModel

#: Variances are raised by this share of their mean, so that empty directions do not blow up.
SHRINK = 0.02

#: At most so many images are measured, and so many at a time.
MOST_IMAGES, CHUNK = 4096, 256


def fit_whitening(model: ParetokenModel, store: VisualStore, names: Iterable[str]) -> None:
    """Measure the compressor's tokens on training images and set the map of the model.

    A function of weights and images only: a continued run sets the same map again.

    Args:
        model: with ``config.whiten``; its compressor is used as it is.
        store: features or pixels.
        names: the images; of many, evenly spaced ones are taken.
    """
    chosen = list(names)
    chosen = chosen[:: -(-len(chosen) // MOST_IMAGES)]
    width = model.compressor.width  # type: ignore[union-attr]
    count, total = 0, torch.zeros(width, dtype=torch.float64)
    squares = torch.zeros(width, width, dtype=torch.float64)
    for start in range(0, len(chosen), CHUNK):
        tokens = _tokens(model, store, chosen[start : start + CHUNK])
        count += len(tokens)
        total += tokens.sum(0)
        squares += tokens.T @ tokens
    mean = total / count
    matrix = symmetric_root(squares / count - torch.outer(mean, mean))
    model.projector.set_input_map(mean, matrix)  # type: ignore[union-attr]


def symmetric_root(covariance: Tensor) -> Tensor:
    """Return the inverse square root of a covariance, its variances raised by `SHRINK`."""
    values, vectors = torch.linalg.eigh(covariance)
    raised: Tensor = values.clamp(min=0) + SHRINK * values.mean()
    root: Tensor = (vectors * raised.rsqrt()) @ vectors.T
    return root


@torch.no_grad()
def _tokens(model: ParetokenModel, store: VisualStore, names: list[str]) -> Tensor:
    """Return the compressor's tokens of some images (tokens, width)."""
    values = store.gather(store.locate(names))
    if store.argument == "pixel_values":
        values = model.vision_encoder(values)  # type: ignore[misc]
    weight = next(model.projector.parameters())  # type: ignore[union-attr]
    compressed: Tensor = model.compressor(values.to(weight.dtype))  # type: ignore[misc]
    return compressed.flatten(0, 1).double()
