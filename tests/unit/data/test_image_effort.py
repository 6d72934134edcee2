"""Images that would keep a decoder busy for minutes are refused; usual ones are not."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paretoken.data.image_effort import MOST_SCANS
from paretoken.data.image_index import inspect_image
from paretoken.data.images import open_image
from paretoken.errors import UserError


def jpeg(scans: int, mode: str = "L", progressive: bool = True) -> bytes:
    """Return a JPEG whose last scan is repeated."""
    stream = io.BytesIO()
    Image.new(mode, (64, 64)).save(stream, "JPEG", progressive=progressive)
    content = stream.getvalue()
    start = content.rindex(b"\xff\xda")
    return content[:-2] + content[start:-2] * scans + b"\xff\xd9"


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_of_too_many_scans_is_refused(tmp_path: Path, mode: str) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(MOST_SCANS, mode))
    with pytest.raises(UserError, match=r"would take minutes to decode: .* more than 100 scans"):
        open_image(tmp_path / "a.jpg", "a.jpg")
    with pytest.raises(UserError, match="more than 100 scans"):
        open_image(io.BytesIO(jpeg(MOST_SCANS, mode)), "a.jpg")
    assert "more than 100 scans" in str(inspect_image(tmp_path / "a.jpg"))


@pytest.mark.parametrize("progressive", [True, False])
def test_what_looks_like_scans_behind_an_image_or_in_its_notes_is_not_counted(
    tmp_path: Path, progressive: bool
) -> None:
    plain = jpeg(0, "RGB", progressive)
    note = b"\xff\xda" * 1000
    noted = plain[:2] + b"\xff\xfe" + struct.pack(">H", len(note) + 2) + note + plain[2:]
    for content in (plain, plain + b"film\xff\xda" * 1000, noted, jpeg(60)):
        assert open_image(io.BytesIO(content), "a.jpg").size == (64, 64)


def strips(path: Path, count: int, rows: int) -> Path:
    """Write a TIFF of 400 x 200 whose strips are all the same bytes."""
    width, height = 400, 200
    places = 8 + width * height
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, count, places),
        (277, 3, 1, 1),
        (278, 4, 1, rows),
        (279, 4, count, places + 4 * count),
    ]
    body = bytes(width * height) + struct.pack("<L", 8) * count + struct.pack("<L", width * rows) * count
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    path.write_bytes(b"II*\0" + struct.pack("<L", 8 + len(body)) + body + directory + bytes(4))
    return path


def test_a_tiff_that_covers_itself_many_times_is_refused(tmp_path: Path) -> None:
    assert open_image(strips(tmp_path / "a.tif", 200, 1), "a.tif").size == (400, 200)
    with pytest.raises(UserError, match="parts have more than 10 times its pixels"):
        open_image(strips(tmp_path / "a.tif", 20_000, 100), "a.tif")


GRAY = """
import resource, sys
from pathlib import Path
from paretoken.data.images import open_image
limit = int(Path("/proc/self/statm").read_text().split()[0]) * 4096 + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(open_image(Path(sys.argv[1]), "a.png").size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory the process has in /proc")
def test_sixteen_bits_are_scaled_without_fractions_of_the_whole_image(tmp_path: Path) -> None:
    Image.new("I;16", (3500, 3500)).save(tmp_path / "a.png", compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", GRAY, str(tmp_path / "a.png")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.stdout == "(3500, 3500)\n", done.stderr


def test_parts_of_a_gray_image_are_scaled_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (37, 11)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    whole = np.asarray(open_image(tmp_path / "a.png", "a.png"))
    monkeypatch.setattr("paretoken.data.image_depth.PART", 30)
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "a.png", "a.png")), whole)
    np.testing.assert_array_equal(whole[..., 0], np.rint(values / 257).astype(np.uint8))
