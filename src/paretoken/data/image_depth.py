"""Converting images of any depth and colour space to RGB with 8 bits per channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

#: TIFF's tags: bits per sample, whether 0 is black or white, and the format of samples.
BITS, PHOTOMETRIC, MEANING = 258, 262, 339
WHITE_IS_ZERO, UNSIGNED = 0, 1

#: Possible values of white, if the file does not say which.
SCALES = (255.0, 65535.0)
#: Resized fractions may overshoot 0 and 1 by so much.
OVERSHOOT = 0.1
#: An image whose lightest pixel is darker than this share of white has another scale than its file
#: declares (12 bits in 16, a mask of classes), or shows nothing.
DARKEST = 1 / 16

#: Pixels whose values are scaled at once.
PART = 1 << 20


class ScaleError(ValueError):
    """The values of an image have no known scale."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image in RGB, decoded.

    Raises:
        ScaleError: it is unknown which value is white, or all of the image would be nearly black.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return _gray(image).convert("RGB")
    if image.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(lab, rgb, "LAB", "RGB").apply(image)
    if image.mode == "La":  # premultiplied: PIL converts it to LA only
        return image.convert("LA").convert("RGB")
    return image.convert("RGB")


def _gray(image: Image.Image) -> Image.Image:
    image.load()
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    white = _white(values, _depth(image.mode, tags), image.mode == "F")
    inverted = tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    shown = np.empty(values.shape, np.uint8)
    step = max(1, PART // max(1, values.shape[1]))
    for start in range(0, len(values), step):  # fractions of a whole image would take gigabytes
        part = values[start : start + step].astype(np.float64)
        if inverted:
            part = white - part
        part *= 255 / white
        np.clip(np.rint(part, out=part), 0, 255, out=part)
        shown[start : start + step] = part
    return Image.fromarray(shown)


def _depth(mode: str, tags: Mapping[int, Any]) -> float | None:
    """Return the largest value of an image of up to 16 unsigned bits; None for other images."""
    if not mode.startswith("I;16") or tags.get(MEANING, (UNSIGNED,))[0] != UNSIGNED:
        return None
    return float(2 ** tags.get(BITS, (16,))[0] - 1)


def _white(values: NDArray[Any], depth: float | None, fractions: bool) -> float:
    """Return the value of white: by the file's depth, unless everything would be black."""
    white, high = depth or _scale(values, fractions), float(values.max())
    if white == SCALES[1] and high <= SCALES[0]:
        white = SCALES[0]  # 8 bits in a file of 16
    if high == 1:
        white = 1.0  # a mask
    if 0 < high < DARKEST * white:
        raise ScaleError(
            f"its largest value is {high:g}, nearly black where {white:,.0f} is white; convert it to 8 "
            "bits"
        )
    return white


def _scale(values: NDArray[Any], fractions: bool) -> float:
    """Return the value of white, estimated from the values."""
    low, high = float(values.min()), float(values.max())
    if fractions and low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
        return 1.0
    found = next((scale for scale in SCALES if low >= 0 and high <= scale), None)
    if found is None:
        ranges = "0 to 1 (fractions), 0 to 255 or 0 to 65,535"
        raise ScaleError(
            f"its values are from {low:g} to {high:g} instead of {ranges}; convert it to 8 bits"
        )
    return found
