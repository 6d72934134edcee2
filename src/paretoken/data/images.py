"""Opening images safely and turning them into pixel values."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from PIL import Image

from paretoken.data.conversations import BadRowError, image_name
from paretoken.data.image_depth import ScaleError, to_rgb
from paretoken.data.image_effort import EffortError, require_few_parts, require_few_scans
from paretoken.data.image_files import find_image, locate_images, name_problem
from paretoken.data.stored_names import SEVERAL, by_path, split_name
from paretoken.errors import UserError
from paretoken.io.bounded import require_regular
from paretoken.io.escape import shown as shown_name
from paretoken.io.files import sha256

#: Larger images are refused: a file of kilobytes can unpack to gigabytes.
MAX_PIXELS = 50_000_000

#: No side may be longer, nor longer than so many times the other: padding to a square, or scaling
#: the shorter side up, would fill the memory.
MAX_SIDE, MAX_RATIO = 16_384, 200

#: What is opened; PIL knows more, and hands some of it to other programs.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")


class ImageSource:
    """Images by name: files under a folder, or bytes stored in the rows of a data set.

    A path also finds an image that rows hold, if only one of them is called so. The name of one that
    rows hold finds the file of that path and content.

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
        self._by_path = by_path(self.stored)

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the names that the source does not have."""
        asked = [name for name in names if name not in self.stored]
        found = self.files(asked)
        return [name for name in asked if name not in found and not self._by_path.get(name)]

    def files(self, names: Sequence[str]) -> dict[str, Path]:
        """Return where those of the names lie that are files."""
        if self.folder is None:
            return {}
        return {name: self.folder / file for name, file in locate_images(self.folder, names).items()}

    def full_names(self, names: Sequence[str]) -> list[str]:
        """Return names, each once: for paths that no file has, those of the images that rows hold."""
        found = self.files(names)
        held = self._by_path
        return list(dict.fromkeys(name if name in found else held.get(name) or name for name in names))

    def problem(self, name: str) -> str:
        """Return why a name is missing, to follow it in a message."""
        if name in self._by_path:
            return SEVERAL
        place = self.folder or "the data set"
        if split_name(name)[1] is not None:
            return f"is stored in its row, and missing in {place}; give the data set that holds it"
        return name_problem(name) or f"is missing in {place}"

    def open(self, name: str) -> Image.Image:
        """Return an image, decoded, in RGB.

        Raises:
            UserError: it is missing, too large, truncated or no image.
        """
        if name in self.stored:
            return open_image(io.BytesIO(self.stored[name]), name, self.max_pixels)
        path = None if self.folder is None else find_image(self.folder, name)
        if path is None and (held := self._by_path.get(name)):
            return self.open(held)
        if path is None:
            raise UserError(f"image {shown_name(name)} {self.problem(name)}")
        digest = split_name(name)[1]
        if digest is not None and not sha256(path).startswith(digest):
            raise UserError(f"image {path} is another one than the row holds; give the data set itself")
        return open_image(path, str(path), self.max_pixels)


def stored_images(rows: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return the images that rows of a data set hold themselves (`datasets`' Image feature)."""
    found = {}
    for row in rows:
        value = row.get("image")
        content = value.get("bytes") if isinstance(value, Mapping) else None
        if isinstance(content, bytes) and content:
            with suppress(BadRowError):  # whoever reads the rows counts them
                found[image_name(value) or ""] = content
    return found


def image_source(path: Path) -> ImageSource:
    """Return the images under ``path``: files of a folder, or those that rows of a data set hold."""
    if not (path / "state.json").exists() and not (path.suffix == ".parquet" and path.is_file()):
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
        require_few_scans(image)
        return to_rgb(image)
    except EffortError as error:
        raise _laborious(name, error) from error
    except ScaleError as error:
        raise UserError(f"image {name} cannot be shown: {error}") from error


@contextmanager
def reading(source: Path | io.BytesIO, name: str, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Yield an image of which only the header was read, within the size bounds.

    Raises:
        UserError: it is too large, not a regular file or not an image, or the block found it to be
            damaged.
    """
    if isinstance(source, Path):
        require_regular(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL's, on damaged metadata and sizes
            with Image.open(source, formats=FORMATS) as image:
                check_size(*image.size, name, max_pixels)
                require_few_parts(image)
                yield image
    except UserError:
        raise
    except EffortError as error:
        raise _laborious(name, error) from error
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


def _laborious(name: str, error: EffortError) -> UserError:
    return UserError(f"image {name} would take minutes to decode: {error}; save it again as it looks")


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
