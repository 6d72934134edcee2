"""A fixed affine map that whitens the inputs of the projector.

Averages over many patches vary little and along few directions, so a projector learns more slowly the
fewer tokens there are. Whitening removes that difference, so that token counts are compared at equal
ease of training. The map is not folded into the projector's first layer, because it would then be
trained and Adam's steps would undo the whitening. It follows the compressor and is not part of the
cached features, because each V needs its own map while all V share the features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from paretoken.data.collation import VisualStore
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.io.text_tables import counted
from paretoken.models.vlm import ParetokenModel

#: Share of the mean variance that is added to each variance, so that small ones are not inflated.
SHRINK = 0.02

#: Most images that are measured, and the number of images at a time.
MOST_IMAGES, CHUNK = 4096, 256


def fit_whitening(model: ParetokenModel, store: VisualStore, names: Sequence[str], skips: Skips) -> None:
    """Set the whitening map of a model from the compressor's tokens of training images.

    The map depends on weights and images only, so a resumed run sets the same one.

    Args:
        model: a model with ``config.whiten``.
        store: features or pixels of the images.
        names: names of the images; at most `MOST_IMAGES` evenly spaced ones are measured.
        skips: collects the unreadable images.

    Raises:
        UserError: more images are unreadable than ``skips`` allows, or all are.
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
        images = counted(len(chosen), "image")
        raise UserError(f"{skips.origin}: none of the {images} can be read; replace the files")
    mean = total / count
    matrix = symmetric_root(squares / count - torch.outer(mean, mean))
    model.projector.set_input_map(mean, matrix)  # type: ignore[union-attr]


def symmetric_root(covariance: Tensor) -> Tensor:
    """Return the inverse square root of a covariance matrix, regularised by `SHRINK`."""
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
