"""Opening untrusted images."""

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

#: Longest side, and largest ratio of the sides: padding to a square, or scaling the shorter side up,
#: would otherwise fill the memory.
MAX_SIDE, MAX_RATIO = 16_384, 200

#: Formats that are opened; PIL supports more, and passes some of them to other programs.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")


class ImageSource:
    """Images by name: files under a folder, or bytes stored in the rows of a data set.

    A path also finds an image that rows hold, if only one of them has that path. The name of an image
    that rows hold finds the file with that path and content.

    Args:
        folder: where relative names are looked up; its subfolders may be links.
        stored: encoded images by name.
        max_pixels: the most pixels of an image.
    """

    def __init__(
        self,
        folder: Path | None = None,
        stored: Mapping[str, bytes] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.folder, self.stored, self.max_pixels = folder, stored or {}, max_pixels
        self._by_path = by_path(self.stored)

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the names that the source does not have."""
        asked = [name for name in names if name not in self.stored]
        found = self.files(asked)
        return [name for name in asked if name not in found and not self._by_path.get(name)]

    def files(self, names: Sequence[str]) -> dict[str, Path]:
        """Return the paths of those names that are files."""
        if self.folder is None:
            return {}
        return {name: self.folder / file for name, file in locate_images(self.folder, names).items()}

    def full_names(self, names: Sequence[str]) -> list[str]:
        """Return unique names, in which paths without a file are replaced by names of stored images."""
        found = self.files(names)
        held = self._by_path
        return list(dict.fromkeys(name if name in found else held.get(name) or name for name in names))

    def problem(self, name: str) -> str:
        """Return why a name is missing, as a phrase that follows the name in a message."""
        if name in self._by_path:
            return SEVERAL
        place = self.folder or "the data set"
        if split_name(name)[1] is not None:
            return f"is stored in its row, and missing in {place}; give the data set that holds it"
        return name_problem(name) or f"is missing in {place}"

    def open(self, name: str) -> Image.Image:
        """Return an image, decoded, in RGB.

        Raises:
            UserError: it is missing, too large, truncated or not an image.
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
            raise UserError(f"image {path} differs from the one in its row; give the data set itself")
        return open_image(path, str(path), self.max_pixels)


def stored_images(rows: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return the images that are stored in rows of a data set (`datasets`' Image feature), by name."""
    found = {}
    for row in rows:
        value = row.get("image")
        content = value.get("bytes") if isinstance(value, Mapping) else None
        if isinstance(content, bytes) and content:
            with suppress(BadRowError):  # the reader of the rows counts bad ones
                found[image_name(value) or ""] = content
    return found


def image_source(path: Path) -> ImageSource:
    """Return the images under ``path``: files of a folder, or images stored in rows of a data set."""
    from paretoken.data.rows import format_of

    if not (path / "state.json").exists() and not (format_of(path) == ".parquet" and path.is_file()):
        return ImageSource(path)
    from paretoken.data.row_images import images_of

    return ImageSource(None, images_of(path))


def open_image(source: Path | io.BytesIO, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return a decoded RGB image.

    As in LLaVA-1.5, a transparent image loses its transparency, an animation keeps its first frame,
    and an EXIF tag for rotation is not followed. Unlike there, more than 8 bits per channel are scaled
    to 8 (PIL would cut them off: everything but black turns white).

    Raises:
        UserError: it is too large, truncated, not an image, or has values of an unknown scale; the
            message names it.
    """
    with reading(source, name, max_pixels) as image:
        return decode_rgb(image, name)


def decode_rgb(image: Image.Image, name: str) -> Image.Image:
    """Decode an open image and return it in RGB (`UserError` as of `open_image`)."""
    try:
        require_few_scans(image)
        return to_rgb(image)
    except EffortError as error:
        raise _laborious(name, error) from error
    except ScaleError as error:
        raise UserError(f"image {name} cannot be shown: {error}") from error


@contextmanager
def reading(source: Path | io.BytesIO, name: str, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Yield an image of which only the header was read, and whose size is within the limits.

    Raises:
        UserError: it is too large, not a regular file or not an image, or the block found it to be
            damaged.
    """
    if isinstance(source, Path):
        require_regular(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL warns of damaged metadata and sizes
            with Image.open(source, formats=FORMATS) as image:
                check_size(*image.size, name, max_pixels)
                require_few_parts(image)
                yield image
    except UserError:
        raise
    except EffortError as error:
        raise _laborious(name, error) from error
    except Image.DecompressionBombError as error:  # PIL checks its own limit first
        raise UserError(
            f"image {name} has many more pixels than the {max_pixels:,} that are decoded; scale it down"
        ) from error
    except Exception as error:  # decoders raise anything for damaged files
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
    """Return what is wrong with a file that cannot be read as an image."""
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
