"""Every image is decoded once: damage is found, and what was decoded is remembered."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import paretoken.data.image_index as index
from paretoken.data.decoded import ReadableImage, remembering
from paretoken.data.image_index import Seen, index_images, inspect_image
from paretoken.data.images import ImageSource
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from processes import line_of, running

#: Smooth on the left and rough on the right, as photographs are.
PHOTO = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
PHOTO[:, :40] = np.linspace(0, 255, 40).astype(np.uint8)[None, :, None]
KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tif": "TIFF"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image of each kind."""
    made = tmp_path / "images"
    made.mkdir()
    for suffix, kind in KINDS.items():
        options = {"compression": "tiff_adobe_deflate"} if suffix == "tif" else {}
        Image.fromarray(PHOTO).save(made / f"a.{suffix}", kind, **options)
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def indexed(folder: Path, asked: Sequence[str], workers: int = 1) -> tuple[list[Seen], list[str]]:
    """Return the images that are accepted, and the names of the others."""
    skips = Skips("images", 1.0)
    with remembering(folder.parent / "images.decoded", folder) as decoded:
        seen = index_images(folder, asked, skips, workers, decoded)
    return seen, [name for name, _ in skips.rows]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that were decoded, as they are."""
    done: list[str] = []
    reading = index.reading
    monkeypatch.setattr(index, "reading", lambda path, name: done.append(name) or reading(path, name))
    return done


def damaged(content: bytes, how: str, place: float) -> bytes:
    """Return a file with its header and end as they were, and bytes in the middle changed."""
    data, start = bytearray(content), int(len(content) * (0.2 + 0.6 * place))
    if how == "zero":
        data[start : start + 64] = bytes(64)
    elif how == "flip":
        data[start] ^= 0xFF
    elif how == "cut":
        del data[start : start + 64]
    else:
        data[start : start + 64] = np.random.default_rng(start).integers(0, 256, 64).tobytes()[:64]
    return bytes(data)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    suffix=st.sampled_from(list(KINDS)),
    how=st.sampled_from(["zero", "flip", "cut", "noise"]),
    place=st.floats(0, 1),
)
def test_what_data_accepts_training_can_open_and_what_it_refuses_it_cannot(
    folder: Path, suffix: str, how: str, place: float
) -> None:
    path = folder / f"b.{suffix}"
    path.write_bytes(damaged((folder / f"a.{suffix}").read_bytes(), how, place))
    found = inspect_image(path)
    source = ImageSource(folder)
    if isinstance(found, ReadableImage):
        assert source.open(path.name).size == found[:2]
    else:
        with pytest.raises(UserError, match=r"b\.\w+ is truncated or not an image"):
            source.open(path.name)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.9])
def test_a_damaged_body_with_a_valid_header_and_end_is_found(
    folder: Path, suffix: str, place: float
) -> None:
    path = folder / f"a.{suffix}"
    path.write_bytes(damaged(path.read_bytes(), "zero", place))
    seen, bad = indexed(folder, names(folder))
    assert bad == [path.name]
    assert {image.name for image in seen} == set(names(folder)) - {path.name}


def test_a_second_run_decodes_only_what_is_new_or_changed(folder: Path, opened: list[str]) -> None:
    first = indexed(folder, names(folder))
    assert sorted(opened) == names(folder)
    opened.clear()
    assert indexed(folder, names(folder)) == first
    assert opened == []
    os.utime(folder / "a.jpg", (1, 1))
    (folder / "a.gif").write_bytes((folder / "a.png").read_bytes())  # another size
    shutil.copy(folder / "a.png", folder / "c.png")
    seen, _ = indexed(folder, names(folder))
    assert sorted(opened) == ["a.gif", "a.jpg", "c.png"]
    assert len(seen) == 7
    opened.clear()
    indexed(folder, names(folder))
    assert opened == []


def test_what_could_not_be_read_is_tried_again(folder: Path, opened: list[str]) -> None:
    (folder / "b.png").write_text("no image")
    assert indexed(folder, names(folder))[1] == ["b.png"]
    opened.clear()
    assert indexed(folder, names(folder))[1] == ["b.png"]
    assert opened == ["b.png"]


def test_an_image_that_is_damaged_later_is_found(folder: Path) -> None:
    indexed(folder, names(folder))
    path = folder / "a.png"
    path.write_bytes(damaged(path.read_bytes(), "zero", 0.5))
    assert indexed(folder, names(folder))[1] == ["a.png"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_damaged_record_of_decoded_images_is_ignored(folder: Path, data: st.DataObject) -> None:
    """Cut it off, as a kill does, or overwrite a part of it: results stay, and it is used again."""
    memory = folder.parent / "images.decoded"
    memory.unlink(missing_ok=True)
    first = indexed(folder, names(folder))
    content = memory.read_bytes()
    place = data.draw(st.integers(0, len(content)))
    junk = data.draw(st.one_of(st.just(b""), st.binary(max_size=9), st.just(b"[" * 9999)))
    rest = b"" if data.draw(st.booleans()) else content[place + len(junk) :]
    memory.write_bytes(content[:place] + junk + rest)
    assert indexed(folder, names(folder)) == first
    with remembering(memory, folder) as decoded:
        assert decoded.whole == {name: inspect_image(folder / name) for name in names(folder)}


def test_the_memory_of_another_folder_or_decoder_is_forgotten(
    folder: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(folder, names(folder))
    other = shutil.copytree(folder, folder.parent / "other")
    opened.clear()
    indexed(other, names(other))
    assert sorted(opened) == names(other)
    opened.clear()
    monkeypatch.setattr("PIL.__version__", "0")
    indexed(other, names(other))
    assert sorted(opened) == names(other)


def test_a_memory_that_cannot_be_written_is_an_error(folder: Path) -> None:
    (folder.parent / "images.decoded").mkdir()
    with pytest.raises(UserError, match=r"images\.decoded cannot be written"):
        indexed(folder, names(folder))


def test_a_line_is_what_was_found(folder: Path) -> None:
    indexed(folder, ["a.png"])
    text = (folder.parent / "images.decoded").read_text()
    head, line = (each.partition(" ")[2] for each in text.splitlines())
    assert json.loads(head)["images"] == str(folder)
    status = (folder / "a.png").stat()
    assert json.loads(line) == ["a.png", 80, 60, status.st_size, status.st_mtime_ns]


#: Decodes images one by one, and never gets beyond the third.
KILLED = """
import sys
from pathlib import Path
import paretoken.data.image_index as index
from paretoken.data.decoded import remembering
from paretoken.data.skips import Skips
folder, memory = map(Path, sys.argv[1:])
index.PART = 1
inspect_image = index.inspect_image
def slowly(path, *more):
    while path.name == "a.png":
        print("here", flush=True)
        sys.stdin.read()
    return inspect_image(path, *more)
index.inspect_image = slowly
with remembering(memory, folder) as decoded:
    index.index_images(folder, sorted(p.name for p in folder.iterdir()), Skips("x", 1), 1, decoded)
"""


def test_what_was_decoded_before_a_kill_stays_known(folder: Path, opened: list[str]) -> None:
    memory = folder.parent / "images.decoded"
    with running([sys.executable, "-c", KILLED, folder, memory]) as process:
        assert line_of(process) == "here\n"
    assert len(indexed(folder, names(folder))[0]) == len(KINDS)
    assert opened == ["a.png", "a.tif", "a.webp"]


def test_a_process_that_is_killed_is_an_error_that_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "PART", 1)
    monkeypatch.setattr(index, "_inspect_all", _die)
    with pytest.raises(UserError, match="was killed; if memory was short, give fewer --workers than 2"):
        indexed(folder, names(folder), workers=2)


def _die(*arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_progress_counts_every_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PART", 4)
    told: list[tuple[int, int]] = []
    index_images(folder, names(folder), Skips("x"), progress=lambda done, of: told.append((done, of)))
    assert told == [(4, 6), (6, 6)]
