"""Images of every depth and colour space that files of the accepted formats have."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from paretoken.data.image_index import inspect_image
from paretoken.data.images import ImageSource, open_image
from paretoken.errors import UserError

RNG = np.random.default_rng(5)


def opened(image: Image.Image, path: Path, **options: object) -> NDArray[np.int64]:
    """Save an image and return what `open_image` makes of it; `inspect_image` must accept it as well."""
    image.save(path, **options)
    assert inspect_image(path)[:2] == image.size
    found = ImageSource(path.parent).open(path.name)
    assert (found.mode, found.size) == ("RGB", image.size)
    return np.asarray(found).astype(np.int64)


def grays(low: float, high: float) -> NDArray[np.float64]:
    """Return random values of a range, both ends among them."""
    values = RNG.uniform(low, high, (9, 11))
    values[0, :2] = low, high
    return values


def test_a_header_of_a_billion_pixels_is_refused_in_plain_words(tmp_path: Path) -> None:
    Image.new("1", (2, 2)).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = (40_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match="many more pixels than the 50,000,000 that are decoded"):
        open_image(tmp_path / "a.png", "a.png")


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("high", [0, 1, 16, 200, 255, 4096, 65535])
def test_sixteen_bits_are_scaled_by_their_depth(tmp_path: Path, kind: str, high: int) -> None:
    values = np.rint(grays(0, high)).astype(np.uint16)
    found = opened(Image.fromarray(values), tmp_path / f"a.{kind}")
    white = 1 if high == 1 else 255 if high <= 255 else 65535  # a mask, or 8 bits, in a file of 16
    expected = np.floor(values * (255 / white) + 0.5)[..., None]
    assert np.array_equal(found, np.broadcast_to(expected, found.shape))


@pytest.mark.parametrize(
    ("high", "divisor"),
    [
        (1, 1 / 255),
        (16, 1),
        (200, 1),
        (255, 1),
        (4096, 257),
        (65535, 257),
    ],
)
@pytest.mark.parametrize("kind", ["I", "I;16S"])
def test_integers_of_more_bits_are_scaled_by_their_values(
    tmp_path: Path, high: int, divisor: float, kind: str
) -> None:
    values = np.rint(grays(0, high)).astype(np.int32)
    path = tmp_path / "a.tif"
    if kind == "I":
        found = opened(Image.fromarray(values), path)
    elif high > 32767:
        return  # more than 16 bits with a sign hold
    else:
        write_tiff(path, values.astype("<i2").tobytes(), (11, 9), bits=16, more={339: 2})
        found = np.asarray(open_image(path, path.name)).astype(np.int64)
    expected = np.floor(values / divisor + 0.5)[..., None]
    assert np.array_equal(found, np.broadcast_to(expected, found.shape))


@pytest.mark.parametrize(
    ("low", "high", "factor"),
    [
        (0, 0, 255),
        (0, 0.07, 255),
        (0, 0.5, 255),
        (0, 1, 255),
        (-0.02, 1.03, 255),
        (0, 16, 1),
        (0, 200.5, 1),
        (0, 255, 1),
        (0, 4096, 1 / 257),
        (3, 65535, 1 / 257),
    ],
)
def test_fractions_are_scaled_by_their_values(
    tmp_path: Path, low: float, high: float, factor: float
) -> None:
    values = grays(low, high).astype(np.float32)
    found = opened(Image.fromarray(values), tmp_path / "a.tiff")
    expected = np.clip(values.astype(float) * factor, 0, 255)[..., None]
    assert np.abs(found - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("kind", "high"),
    [
        *((np.uint16, high) for high in (2, 15, 256, 300, 4080, 4095)),
        *((np.int32, high) for high in (2, 15, 256, 4080)),
        *((np.float32, high) for high in (0.01, 2, 256, 4080)),
    ],
)
def test_an_image_that_would_be_nearly_black_is_an_error(
    tmp_path: Path, kind: type, high: float
) -> None:
    for suffix in ("tiff", "png") if kind is np.uint16 else ("tiff",):
        name = tmp_path / f"a.{suffix}"
        Image.fromarray(grays(0, high).astype(kind)).save(name)
        with pytest.raises(UserError, match=r"nearly black where .* is white; convert it to 8 bits"):
            open_image(name, str(name))
        assert "nearly black" in str(inspect_image(name))


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (np.int32, -1, 200),
        (np.int32, 0, 65536),
        (np.int32, 0, 2**31 - 1),
        (np.float32, -0.5, 1),
        (np.float32, 0, 70000),
        (np.float32, 0, np.inf),
        (np.float32, 0, np.nan),
        (np.float32, -np.inf, 1),
    ],
)
def test_values_without_a_known_scale_are_an_error_and_found(
    tmp_path: Path, kind: type, low: float, high: float
) -> None:
    values = np.zeros((4, 5))
    values[0, :2] = low, high
    path = tmp_path / "a.tiff"
    Image.fromarray(values.astype(kind)).save(path)
    with pytest.raises(UserError, match=r"a\.tiff cannot be shown: its values are from .* convert it"):
        open_image(path, str(path))
    assert "its values are from" in str(inspect_image(path))


def write_tiff(
    path: Path, pixels: bytes, size: tuple[int, int], bits: int, more: dict[int, int] | None = None
) -> None:
    """Write a greyscale TIFF of any depth, which PIL reads but does not write; ``more``: tags."""
    width, height = size
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(pixels),
        **(more or {}),
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    start = 8 + len(pixels) + len(pixels) % 2
    header = b"II*\0" + struct.pack("<I", start)
    body = pixels + b"\0" * (len(pixels) % 2)
    path.write_bytes(header + body + struct.pack("<H", len(tags)) + entries + bytes(4))


def test_twelve_bits_are_scaled_by_their_depth(tmp_path: Path) -> None:
    values = [0, 16, 2048, 4095]
    packed = b"".join(
        bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255])
        for a, b in zip(values[::2], values[1::2], strict=True)
    )
    write_tiff(tmp_path / "a.tif", packed, (4, 1), bits=12)
    found = np.asarray(open_image(tmp_path / "a.tif", "a.tif"))[0, :, 0]
    assert found.tolist() == [round(value / 4095 * 255) for value in values]


def test_white_may_be_zero(tmp_path: Path) -> None:
    values = np.array([0, 257, 65535], "<u2")
    write_tiff(tmp_path / "a.tif", values.tobytes(), (3, 1), bits=16, more={262: 0})
    found = np.asarray(open_image(tmp_path / "a.tif", "a.tif"))[0, :, 0]
    assert found.tolist() == [255, 254, 0]


def test_unsigned_integers_of_32_bits_are_read(tmp_path: Path) -> None:
    values = np.array([0, 7, 255], "<u4")
    write_tiff(tmp_path / "a.tif", values.tobytes(), (3, 1), bits=32)
    assert np.asarray(open_image(tmp_path / "a.tif", "a.tif"))[0, :, 0].tolist() == [0, 7, 255]


COLOURS = RNG.integers(0, 256, (9, 11, 3), dtype=np.uint8)
GRAYS = COLOURS[..., 0]


MODES = [
    (mode, kind)
    for kind in ("png", "tiff", "bmp", "gif", "webp")
    for mode in ("1", "L", "P", "LA", "PA", "RGB", "RGBA")
    if (mode, kind) not in {("LA", "bmp"), ("PA", "bmp"), ("PA", "png"), ("PA", "gif")}  # not written
]


@pytest.mark.parametrize(("mode", "kind"), MODES)
def test_modes_of_eight_bits_lose_their_transparency_and_nothing_else(
    tmp_path: Path, mode: str, kind: str
) -> None:
    alpha = Image.fromarray(GRAYS[::-1].copy())
    if mode == "1":
        image = Image.fromarray(GRAYS > 127)
        expected = np.repeat(np.where(GRAYS > 127, 255, 0)[..., None], 3, 2)
    elif mode in {"L", "LA"}:
        image, expected = Image.fromarray(GRAYS), np.repeat(GRAYS[..., None], 3, 2)
    elif mode in {"P", "PA"}:
        image = Image.fromarray(GRAYS // 4, "P")
        image.putpalette(list(range(256)) * 3)
        palette = np.array(list(range(256)) * 3).reshape(256, 3)
        expected = palette[GRAYS // 4]
    else:
        image, expected = Image.fromarray(COLOURS), COLOURS
    if mode == "PA":
        image = image.convert("PA")
    if mode in {"LA", "PA", "RGBA"}:
        image.putalpha(alpha)
    options = {"lossless": True, "exact": True} if kind == "webp" else {}
    found = opened(image, tmp_path / f"a.{kind}", **options)
    tolerance = 255 if kind == "gif" and mode not in {"1", "L", "P"} else 0  # 256 colours
    assert np.abs(found - expected).max() <= tolerance


@pytest.mark.parametrize(("mode", "tolerance"), [("CMYK", 1), ("YCbCr", 3)])
def test_other_colour_spaces_become_rgb(tmp_path: Path, mode: str, tolerance: int) -> None:
    found = opened(Image.fromarray(COLOURS).convert(mode), tmp_path / "a.tiff")
    assert np.abs(found - COLOURS).max() <= tolerance


def test_lab_becomes_rgb(tmp_path: Path) -> None:
    """Against the formulas of CIE 1976 and sRGB, white at D50, on grays (where a = b = 0)."""
    light = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    neutral = np.full_like(light, 128)
    bands = [Image.fromarray(band) for band in (light, neutral, neutral)]
    found = opened(Image.merge("LAB", bands), tmp_path / "a.tiff")
    L = np.arange(256) / 255 * 100
    Y = np.where(L > 8, ((L + 16) / 116) ** 3, L / 903.3)
    srgb = np.where(Y <= 0.0031308, 12.92 * Y, 1.055 * Y ** (1 / 2.4) - 0.055) * 255
    assert np.abs(found[0] - srgb[:, None]).max() <= 2


def test_a_premultiplied_gray_is_read(tmp_path: Path) -> None:
    pixels = np.stack([GRAYS, np.full_like(GRAYS, 255)], axis=2).tobytes()
    write_tiff(tmp_path / "a.tiff", pixels, (11, 9), bits=8, more={277: 2, 338: 1})
    with Image.open(tmp_path / "a.tiff") as image:
        assert image.mode == "La"
    found = np.asarray(open_image(tmp_path / "a.tiff", "a"))
    assert np.array_equal(found, np.repeat(GRAYS[..., None], 3, 2))
