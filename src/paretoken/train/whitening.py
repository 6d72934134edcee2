"""A fixed affine map in front of the projector that makes its inputs white.

Averages over many patches vary little and along few directions; a projector then learns slowly, and
the slower the fewer tokens there are. Whitened inputs remove that difference, so that token counts
are compared at equal ease of training. It stands apart from the projector's first layer, into which
it could be folded: folded, it would be trained, and Adam's steps would undo what it is for. And it
stands behind the compressor, not in the cached features: each V needs its own, and all share those.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from paretoken.data.collation import VisualStore
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.models.vlm import ParetokenModel

#: Variances are raised by this share of their mean, so that empty directions do not blow up.
SHRINK = 0.02

#: At most so many images are measured, and so many at a time.
MOST_IMAGES, CHUNK = 4096, 256


def fit_whitening(model: ParetokenModel, store: VisualStore, names: Sequence[str], skips: Skips) -> None:
    """Measure the compressor's tokens on training images and set the map of the model.

    A function of weights and images only: a continued run sets the same map again.

    Args:
        model: with ``config.whiten``; its compressor is used as it is.
        store: features or pixels.
        names: the images; of many, evenly spaced ones are taken.
        skips: takes those that cannot be read.

    Raises:
        UserError: more images cannot be read than ``skips`` allows, or none can.
    """
    rows, step = store.locate(names), -(-len(names) // MOST_IMAGES)
    rows, chosen = rows[::step], names[::step]
    width = model.compressor.width  # type: ignore[union-attr]
    count, total = 0, torch.zeros(width, dtype=torch.float64)
    squares = torch.zeros(width, width, dtype=torch.float64)
    for start in range(0, len(chosen), CHUNK):
        values, failed = store.read(rows[start : start + CHUNK])
        for place, reason in failed.items():
            skips.add(chosen[start + place], reason)
        skips.check(len(chosen))
        if len(failed) == len(values):
            continue
        read = [place for place in range(len(values)) if place not in failed]
        tokens = _tokens(model, store, values[read] if failed else values)
        count += len(tokens)
        total += tokens.sum(0)
        squares += tokens.T @ tokens
    if not count:
        raise UserError(f"{skips.origin}: none of the images can be read; whitening needs some")
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
def _tokens(model: ParetokenModel, store: VisualStore, values: Tensor) -> Tensor:
    """Return the compressor's tokens of some images (tokens, width), from features or pixels."""
    if store.argument == "pixel_values":
        values = model.vision_encoder(values)  # type: ignore[misc]
    weight = next(model.projector.parameters())  # type: ignore[union-attr]
    compressed: Tensor = model.compressor(values.to(weight.dtype))  # type: ignore[misc]
    return compressed.flatten(0, 1).double()
