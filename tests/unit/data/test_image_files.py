"""Images as the wild has them, and the two ways of LLaVA-1.5 to make them square."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paretoken.data.image_index import inspect_image
from paretoken.data.images import ImageSource, check_size, open_image
from paretoken.data.preprocessor import Preprocessor
from paretoken.errors import UserError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
NOISE = np.random.default_rng(0).integers(0, 255, (31, 47, 3), dtype=np.uint8)


def square_with_mean_colour(image: Image.Image) -> Image.Image:
    """LLaVA-1.5's description: a square of the longer side in the mean colour, the image centred."""
    pixels = np.asarray(image)
    side = max(pixels.shape[:2])
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = [int(value * 255) for value in CLIP_MEAN]
    top, left = (side - pixels.shape[0]) // 2, (side - pixels.shape[1]) // 2
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return Image.fromarray(canvas)


@pytest.mark.parametrize("size", [(40, 40), (60, 37), (37, 60), (61, 4), (1, 90), (24, 25)])
@pytest.mark.parametrize("aspect", ["pad", "crop"])
def test_both_aspects_equal_llava(size: tuple[int, int], aspect: str) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8))
    reference = CLIPImageProcessorPil(
        size={"shortest_edge": 24},
        crop_size={"height": 24, "width": 24},
        image_mean=CLIP_MEAN,
        image_std=CLIP_STD,
    )
    shown = square_with_mean_colour(image) if aspect == "pad" else image
    expected = reference(images=[shown], return_tensors="np")["pixel_values"]
    actual = Preprocessor(24, CLIP_MEAN, CLIP_STD, aspect=aspect)([image])
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def saved(folder: Path, mode: str, kind: str) -> Path:
    """Write the noise in a mode."""
    path = folder / f"{mode.replace(';', '')}.{kind.lower()}"
    image = Image.fromarray(NOISE)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode in {"RGBA", "LA"}:
        image = image.convert(mode)
        image.putalpha(Image.fromarray(NOISE[..., 0]))
    else:
        image = image.convert(mode)
    options = {"transparency": 3} if mode == "P" and kind == "PNG" else {}
    image.save(path, kind, **options)
    return path


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "PNG"), ("RGB", "WEBP"), ("RGB", "BMP"), ("RGB", "TIFF"), ("L", "JPEG"), ("L", "PNG"),
     ("1", "PNG"), ("P", "PNG"), ("P", "GIF"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("RGBA", "PNG"),
     ("LA", "PNG"), ("I;16", "PNG"), ("I;16", "TIFF")],
)  # fmt: skip
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, kind: str) -> None:
    path = saved(tmp_path, mode, kind)
    image = open_image(path, path.name)
    assert (image.mode, image.size) == ("RGB", (47, 31))
    assert inspect_image(path)[:3] == (47, 31, path.stat().st_size)
    gray = mode in {"L", "LA", "I;16"}
    expected = np.asarray(Image.fromarray(NOISE).convert("L" if gray else "RGB").convert("RGB"), float)
    if mode not in {"1", "P"}:
        tolerance = 60 if kind in {"JPEG", "WEBP"} else 1
        assert np.abs(np.asarray(image, float) - expected).mean() < tolerance


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    image = open_image(tmp_path / "deep.png", "deep.png")
    assert np.asarray(image)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_an_exif_rotation_is_not_followed_as_in_llava(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(NOISE).save(tmp_path / "turned.jpg", exif=exif)
    assert open_image(tmp_path / "turned.jpg", "turned.jpg").size == (47, 31)
    assert inspect_image(tmp_path / "turned.jpg")[:2] == (47, 31)


def test_an_animation_keeps_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / "a.gif", "a.gif").getpixel((0, 0)) == (255, 0, 0)


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


BAD = {
    "bomb.png": (png_header(60_000, 60_000), "many more pixels than the 50,000,000"),
    "bomb2.png": (png_header(12_000, 12_000), "at most 50,000,000"),
    "strip.png": (png_header(20_000, 100), "no side may be longer"),
    "thread.png": (png_header(2_000, 1), "200 times the other"),
    "empty.jpg": (b"", "is empty"),
    "page.jpg": (b"\xef\xbb\xbf <html><body>404</body></html>", "is a web page"),
    "drawing.png": (
        b'<?xml version="1.0"?>\n<svg xmlns="x"/>',
        "is an SVG or another XML file; convert it",
    ),
    "sketch.png": (b"<svg xmlns='x'></svg>", "is an SVG or another XML file; convert it"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "zeros.jpg": (bytes(5000), "not an image"),
    "text.jpg": (b"not an image", "not an image"),
    "program.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_images_are_described(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        ImageSource(tmp_path).open(name)
    reason = inspect_image(tmp_path / name)
    assert isinstance(reason, str)
    assert message in reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("decode", [True, False])
def test_truncated_images_are_found_without_decoding_all_of_them(
    tmp_path: Path, kind: str, decode: bool
) -> None:
    path = tmp_path / f"cut.{kind.lower()}"
    Image.fromarray(np.tile(NOISE, (5, 5, 1))).save(path, kind)
    assert inspect_image(path, decode)[:2] == (235, 155)
    path.write_bytes(path.read_bytes()[:-200])
    assert "truncated" in str(inspect_image(path, decode))
    with pytest.raises(UserError, match="truncated"):
        open_image(path, path.name)


def test_damaged_files_never_raise_anything_else(tmp_path: Path) -> None:
    """Flip bytes of whole files: an image or a `UserError`, whatever the decoder does."""
    rng = np.random.default_rng(0)
    refused = 0
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF"):
        path = tmp_path / f"a.{kind.lower()}"
        Image.fromarray(NOISE).save(path, kind)
        whole = path.read_bytes()
        for _ in range(40):
            data = bytearray(whole)
            for place in rng.integers(0, min(len(data), 200), 4):
                data[place] = rng.integers(256)
            path.write_bytes(data)
            try:
                open_image(path, "damaged", max_pixels=10**6)
            except UserError:
                refused += 1
    assert refused > 20


def test_sizes_of_real_photos_are_accepted() -> None:
    for size in ((8000, 6000), (1, 200), (16_384, 3000)):
        check_size(*size, "photo")
