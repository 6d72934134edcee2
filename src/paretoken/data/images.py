"""Opening images safely and turning them into pixel values."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from paretoken.data.conversations import image_name
from paretoken.data.image_depth import ScaleError, to_rgb
from paretoken.data.image_files import find_image, locate_images, name_problem
from paretoken.errors import UserError
from paretoken.files import read_object

#: Larger images are refused: a file of kilobytes can unpack to gigabytes.
MAX_PIXELS = 50_000_000

#: No side may be longer, nor longer than so many times the other: padding to a square, or scaling
#: the shorter side up, would fill the memory.
MAX_SIDE, MAX_RATIO = 16_384, 200

#: What is opened; PIL knows more, and hands some of it to other programs.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")

Aspect = Literal["crop", "pad"]


class ImageSource:
    """Images by name: files under a folder, or bytes stored in the rows of a data set.

    Args:
        folder: where relative names are looked up; its subfolders may be links.
        stored: encoded images by name.
        max_pixels: the size bound.
    """

    def __init__(
        self,
        folder: Path | None = None,
        stored: Mapping[str, bytes] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.folder, self.stored, self.max_pixels = folder, dict(stored or {}), max_pixels

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the names that the source does not have."""
        asked = [name for name in names if name not in self.stored]
        if self.folder is None:
            return asked
        found = locate_images(self.folder, asked)
        return [name for name in asked if name not in found]

    def open(self, name: str) -> Image.Image:
        """Return an image, decoded, in RGB.

        Raises:
            UserError: it is missing, too large, truncated or no image.
        """
        if name in self.stored:
            return open_image(io.BytesIO(self.stored[name]), name, self.max_pixels)
        path = None if self.folder is None else find_image(self.folder, name)
        if path is None:
            words = name_problem(name) or f"is missing in {self.folder or 'the data set'}"
            raise UserError(f"image {name!r} {words}")
        return open_image(path, str(path), self.max_pixels)


def stored_images(rows: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return the images that rows of a data set hold themselves (`datasets`' Image feature)."""
    found = {}
    for row in rows:
        value = row.get("image")
        if isinstance(value, Mapping) and value.get("bytes"):
            name = image_name(value)
            if name is not None:
                found[name] = value["bytes"]
    return found


def image_source(path: Path) -> ImageSource:
    """Return the images under ``path``: files of a folder, or those that a data set on disk holds."""
    if not (path / "state.json").exists():
        return ImageSource(path)
    from paretoken.data.rows import read_rows

    return ImageSource(None, stored_images(read_rows(path)))


def open_image(source: Path | io.BytesIO, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return a decoded RGB image.

    As in LLaVA-1.5, a transparent image loses its transparency, an animation keeps its first frame,
    and an EXIF tag for rotation is not followed. Unlike there, more than 8 bits per channel are scaled
    to 8 (PIL would cut them off: everything but black turns white).

    Raises:
        UserError: it is too large, truncated, no image, or of values that have no known scale; the
            message names it.
    """
    with reading(source, name, max_pixels) as image:
        return shown(image, name)


def shown(image: Image.Image, name: str) -> Image.Image:
    """Return an image that is open already in RGB (`UserError` as of `open_image`)."""
    try:
        return to_rgb(image)
    except ScaleError as error:
        raise UserError(f"image {name} cannot be shown: {error}") from error


@contextmanager
def reading(source: Path | io.BytesIO, name: str, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Yield an image of which only the header was read, within the size bounds.

    Raises:
        UserError: it is too large or no image, or the block found it to be damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL's, on damaged metadata and sizes
            with Image.open(source, formats=FORMATS) as image:
                check_size(*image.size, name, max_pixels)
                yield image
    except UserError:
        raise
    except Image.DecompressionBombError as error:  # PIL's own bound comes first
        raise UserError(
            f"image {name} has many more pixels than the {max_pixels:,} that are decoded; scale it down"
        ) from error
    except Exception as error:  # decoders raise anything on damaged files
        raise UserError(f"image {name} {_damage(source, error)}") from error


def check_size(width: int, height: int, name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Raise `UserError` for an image too large or too narrow to be decoded and made square."""
    if width * height > max_pixels:
        raise UserError(
            f"image {name} has {width} x {height} pixels; at most {max_pixels:,} are decoded"
        )
    long, short = max(width, height), max(1, min(width, height))
    if long > MAX_SIDE or long > MAX_RATIO * short:
        raise UserError(
            f"image {name} has {width} x {height} pixels; no side may be longer than {MAX_SIDE:,} "
            f"or {MAX_RATIO} times the other"
        )


def _damage(source: Path | io.BytesIO, error: Exception) -> str:
    """Say what a file is that is no image."""
    try:
        with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
            stream.seek(0)
            start = stream.read(256)
    except OSError as failed:
        return f"cannot be read: {failed.strerror}"
    if not start:
        return "is empty; download it again"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<svg" in text or text.startswith(b"<?xml"):
        return f"is an SVG or another XML file; convert it to one of: {', '.join(FORMATS)}"
    if text.startswith(b"<"):
        return "is a web page, not an image: its download failed; download it again"
    if text.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the image itself; run `git lfs pull` where it came from"
    return f"is truncated or not an image: {error}; download it again"


@dataclass(frozen=True)
class Preprocessor:
    """What `CLIPImageProcessor` and `SiglipImageProcessor` do, for square targets, without them.

    Attributes:
        size: pixels per side of the result.
        mean: per channel, subtracted after scaling to 0..1.
        std: per channel, divided by.
        resample: PIL's filter number (3: bicubic).
        aspect: ``crop``: as the encoder was trained (see ``centre``); ``pad``: first made square
            with the mean colour, as LLaVA-1.5 does in its second stage.
        centre: whether the shortest side becomes ``size`` and the centre is cut out (CLIP); if not,
            both sides become ``size`` whatever the shape was (SigLIP).
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resample: int = 3
    aspect: Aspect = "crop"
    centre: bool = True

    def __call__(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return pixel values (images, 3, size, size)."""
        fitted = np.stack([np.asarray(self._fit(image), np.float32) for image in images])
        mean, std = (np.asarray(v, np.float32) for v in (self.mean, self.std))
        scaled = (fitted / 255 - mean) / std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))

    def _fit(self, image: Image.Image) -> Image.Image:
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
        UserError: it is missing, or describes what `Preprocessor` does not do.
    """
    path = folder / "preprocessor_config.json"
    content = read_object(path)
    size, centre = _target(content)
    mean, std = (_colours(content.get(key)) for key in ("image_mean", "image_std"))
    factor, resample = content.get("rescale_factor", 1 / 255), content.get("resample", 3)
    scaled = isinstance(factor, int | float) and abs(factor * 255 - 1) < 1e-6
    usual = scaled and all(content.get(s, True) for s in ("do_resize", "do_rescale", "do_normalize"))
    filters = [int(known) for known in Image.Resampling]
    if size is None or size < 1 or not mean or not std or not all(std) or not usual:
        raise UserError(
            f"{path}: need image_mean, image_std, and either crop_size = size.shortest_edge, as "
            "CLIPImageProcessor writes them, or size.height = size.width, as SiglipImageProcessor does"
        )
    if resample not in filters:
        raise UserError(f"{path}: resample = {resample!r} is none of PIL's filters, 0 to {max(filters)}")
    return Preprocessor(size, mean, std, resample, aspect, centre)


def _colours(values: Any) -> tuple[float, ...] | None:
    """Return a number for each of three channels; None if they are none."""
    if not isinstance(values, list) or len(values) != 3:
        return None
    return tuple(values) if all(isinstance(value, int | float) for value in values) else None


def _target(content: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Return pixels per side (None: no square) and whether the centre is cut out."""
    size, crop = content.get("size"), content.get("crop_size")
    cuts = bool(content.get("do_center_crop", crop is not None))
    sides = {size.get(s) for s in ("height", "width")} if isinstance(size, Mapping) else {size}
    if not cuts and len(sides) == 1:
        (side,) = sides
        return (side, False) if isinstance(side, int) else (None, False)
    cropped = {crop.get(s) for s in ("height", "width")} if isinstance(crop, Mapping) else {crop}
    shortest = size.get("shortest_edge") if isinstance(size, Mapping) else size
    if cuts and cropped == {shortest} and isinstance(shortest, int):
        return shortest, True
    return None, cuts
