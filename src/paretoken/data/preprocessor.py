"""Preprocessing images into the pixel values that a vision encoder was trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from paretoken.errors import UserError
from paretoken.model_files.library_errors import enough_memory
from paretoken.model_files.model_json import LARGEST, read_model_json

Aspect = Literal["crop", "pad"]
ASPECTS = get_args(Aspect)

#: Range of standard deviations of colours between 0 and 1; pixel values are divided by them.
SMALLEST_STD, LARGEST_STD = 1e-6, 1.0
#: The largest number that is read as a colour, whatever the scale.
LARGEST_COLOUR = 1e3

#: Most pixels of a batch of images, which take 1.6 GB: 64 images of 1,448 pixels per side.
MOST_PIXELS = 2**27
#: Most pixels of a scaled image before its centre is cropped: with a shorter side of 1,600 pixels, the
#: longer one may be 200 times as long.
LARGEST_STRIP = 2**29


@dataclass(frozen=True)
class Preprocessor:
    """A reimplementation of `CLIPImageProcessor` and `SiglipImageProcessor` for square targets.

    Attributes:
        size: pixels per side of the result.
        mean: per channel, subtracted after scaling to 0..1.
        std: per channel, divided by.
        resample: PIL's filter number (3: bicubic).
        aspect: ``crop``: as the encoder was trained (see ``centre``); ``pad``: first padded to a square
            with the mean colour, as LLaVA-1.5 does in its second stage.
        centre: whether the shortest side becomes ``size`` and the centre is cropped (CLIP); if not,
            both sides become ``size`` whatever the shape was (SigLIP).
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resample: int = 3
    aspect: Aspect = "crop"
    centre: bool = True

    @property
    def at_once(self) -> int:
        """Number of images that can be processed at once."""
        return max(1, MOST_PIXELS // self.size**2)

    def __call__(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return pixel values (images, 3, size, size).

        Raises:
            UserError: these are more images than `at_once`, or memory is short.
        """
        if len(images) > self.at_once:
            raise UserError(
                f"{len(images)} images of {self.size:,} x {self.size:,} pixels are too many at once for "
                f"this encoder: give a batch of {self.at_once} or fewer"
            )
        with enough_memory(
            f"{len(images)} images of {self.size:,} pixels per side; give a smaller batch"
        ):
            values = np.empty((len(images), 3, self.size, self.size), np.float32)
            for place, image in enumerate(images):
                values[place] = self._scaled(image)
        return values

    def _scaled(self, image: Image.Image) -> NDArray[np.float32]:
        """Return the pixel values of one image (3, size, size)."""
        mean, std = (np.asarray(v, np.float32) for v in (self.mean, self.std))
        values: NDArray[np.float32] = np.array(self.fit(image), np.float32)
        values /= np.float32(255)
        values -= mean
        values /= std
        return values.transpose(2, 0, 1)

    def fit(self, image: Image.Image) -> Image.Image:
        """Return an image in the encoder's size; an image of that size is returned unchanged.

        Raises:
            UserError: it is a long strip, and the encoder's images are very large.
        """
        if self.aspect == "pad":
            image = _square(image, tuple(int(value * 255) for value in self.mean))
        width, height = image.size
        if (width, height) == (self.size, self.size):
            return image
        if not self.centre:
            return image.resize((self.size, self.size), resample=Image.Resampling(self.resample))
        short = min(width, height)
        # `transformers` truncates the longer side, too.
        scaled = (int(width * self.size / short), int(height * self.size / short))
        if scaled[0] * scaled[1] > LARGEST_STRIP:
            raise UserError(
                f"{width} x {height} pixels become {scaled[0]:,} x {scaled[1]:,} for this encoder, "
                "which sees the centre only; crop the image to a square"
            )
        image = image.resize(scaled, resample=Image.Resampling(self.resample))
        left, top = (scaled[0] - self.size) // 2, (scaled[1] - self.size) // 2
        return image.crop((left, top, left + self.size, top + self.size))


def _square(image: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    width, height = image.size
    if width == height:
        return image
    side = max(width, height)
    canvas = Image.new("RGB", (side, side), colour)
    canvas.paste(image, ((side - width) // 2, (side - height) // 2))
    return canvas


def read_preprocessor(folder: Path, aspect: Aspect = "crop") -> Preprocessor:
    """Read an encoder's ``preprocessor_config.json``.

    Raises:
        UserError: it is missing, or describes steps that `Preprocessor` does not support.
    """
    path = folder / "preprocessor_config.json"
    content = read_model_json(path)
    size, centre = _target(content)
    mean, std = (_colours(content.get(key)) for key in ("image_mean", "image_std"))
    factor, resample = _number(content.get("rescale_factor", 1 / 255)), content.get("resample", 3)
    scaled = factor is not None and abs(factor * 255 - 1) < 1e-6
    usual = scaled and all(content.get(s, True) for s in ("do_resize", "do_rescale", "do_normalize"))
    if size is None or mean is None or std is None or not usual:
        raise UserError(
            f"{path}: need image_mean, image_std, and either crop_size = size.shortest_edge, as "
            "CLIPImageProcessor writes them, or size.height = size.width, as SiglipImageProcessor does"
        )
    if not 1 <= size <= LARGEST["image_size"]:
        raise UserError(f"{path}: images of {size} pixels; write 1 to {LARGEST['image_size']:,}")
    for name, values, least, most in (
        ("image_mean", mean, 0.0, 1.0),
        ("image_std", std, SMALLEST_STD, LARGEST_STD),
    ):
        if not least <= min(values) <= max(values) <= most:
            raise UserError(
                f"{path}: {name} = {list(values)}; each must be from {least:g} to {most:g}, since the "
                "colours are scaled to 0 to 1 first; divide values for 0 to 255 by 255"
            )
    filters = [int(known) for known in Image.Resampling]
    if type(resample) is not int or resample not in filters:
        raise UserError(
            f"{path}: resample = {str(resample)[:60]!r} is not one of PIL's filters, 0 to {max(filters)}"
        )
    return Preprocessor(size, mean, std, resample, aspect, centre)


def _number(value: Any) -> float | None:
    """Return a value as a number; None if it is not one, NaN, or larger than colours can be."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and abs(value) <= LARGEST_COLOUR else None


def _colours(values: Any) -> tuple[float, ...] | None:
    """Return a number for each of three channels; None if a value is not a number."""
    if not isinstance(values, list) or len(values) != 3:
        return None
    found = [number for number in map(_number, values) if number is not None]
    return tuple(found) if len(found) == 3 else None


def _target(content: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Return pixels per side (None if not a square) and whether the centre is cropped."""
    size, crop = content.get("size"), content.get("crop_size")
    cuts = bool(content.get("do_center_crop", crop is not None))
    if not cuts:
        return _side(size), False
    shortest = _whole(size.get("shortest_edge") if isinstance(size, Mapping) else size)
    return (shortest, True) if shortest == _side(crop) else (None, True)


def _side(size: Any) -> int | None:
    """Return the side of a square, as preprocessors write it; None if it is not one."""
    if not isinstance(size, Mapping):
        return _whole(size)
    height, width = _whole(size.get("height")), _whole(size.get("width"))
    return height if height == width else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None
