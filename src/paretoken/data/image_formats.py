"""Recognising encoded images by their first bytes, in files and in base64."""

from __future__ import annotations

import binascii
import re

#: First bytes of files of each format, and their suffix.
SIGNATURES = (
    (rb"\xff\xd8\xff", ".jpg"),
    (rb"\x89PNG\r\n\x1a\n", ".png"),
    (rb"GIF8", ".gif"),
    (rb"BM", ".bmp"),
    (rb"II\*\0", ".tif"),
    (rb"MM\0\*", ".tif"),
    (rb"RIFF.{4}WEBP", ".webp"),
)
_PATTERNS = [(re.compile(start, re.DOTALL), suffix) for start, suffix in SIGNATURES]

#: Suffixes of image files.
SUFFIX = re.compile(r"\.(?:jpe?g|jfif|png|gif|webp|bmp|tiff?|heic|avif|svg)$", re.IGNORECASE)

#: Start of a data URL of an image.
_DATA = re.compile(r"\s*data:\s*image/", re.IGNORECASE)
#: Characters of a text that are decoded, which an image in base64 has at least.
_LOOKED_AT = 64
_BASE64 = re.compile(rf"\s*([A-Za-z0-9+/_-]{{{_LOOKED_AT}}})")


def suffix_of(content: bytes) -> str | None:
    """Return the suffix of an encoded image's format; None if it is not an image."""
    return next((suffix for start, suffix in _PATTERNS if start.match(content)), None)


def is_encoded_text(text: str) -> bool:
    """Whether a text is an encoded image: a URL that begins with ``data:image/``, or base64."""
    if _DATA.match(text):
        return True
    found = _BASE64.match(text)
    if found is None:
        return False
    start = binascii.a2b_base64(found[1].replace("-", "+").replace("_", "/"))
    return suffix_of(start) not in (None, ".bmp")  # BMP's two first bytes also occur in other texts
