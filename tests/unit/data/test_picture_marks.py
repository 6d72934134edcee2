"""Features are made again when a picture is another one than before, and only then."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

import tiny
from paretoken.cli import main
from paretoken.data.feature_writer import is_current
from paretoken.data.features import FeatureStore
from paretoken.data.images import ImageSource
from paretoken.data.picture_marks import PICTURES, Mark, unchanged, write_marks
from standins.pictures import picture


@pytest.fixture(scope="module")
def vision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vision")
    tiny.save_vision(folder)
    return folder


@pytest.fixture
def world(tmp_path: Path, vision: Path) -> Path:
    """Return a folder with data, and features of them."""
    (tmp_path / "vision").symlink_to(vision)
    tiny.save_data(tmp_path, images=6)
    (tmp_path / "images" / "5.png").write_bytes(picture(0, "BMP"))
    assert features(tmp_path) == 0
    return tmp_path


def features(world: Path, *options: str) -> int:
    line = ["features", "--vision", world / "vision", "--data", world / "train.jsonl", "--images",
            world / "images", *options, "--out", world / "features"]  # fmt: skip
    return main([str(word) for word in line])


def replace(world: Path) -> None:
    (world / "images" / "3.png").write_bytes(picture(1, "PNG"))


def replace_by_one_of_the_same_size(world: Path) -> None:
    path = world / "images" / "5.png"
    size = path.stat().st_size
    path.write_bytes(picture(3, "BMP"))
    assert path.stat().st_size == size


def put_another_suffix_first(world: Path) -> None:
    (world / "images" / "3.png").unlink()
    (world / "images" / "3.jpg").write_bytes(picture(1))


def forget(world: Path) -> None:
    (world / "features" / PICTURES).unlink()


def damage(world: Path) -> None:
    (world / "features" / PICTURES).write_bytes(b"PAR1")


@pytest.mark.parametrize(
    "change", [replace, replace_by_one_of_the_same_size, put_another_suffix_first, forget, damage]
)
def test_features_of_other_pictures_are_made_again(
    world: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], None]
) -> None:
    before = (world / "features" / "index.json").read_bytes()
    change(world)
    capsys.readouterr()
    assert features(world) == 0
    said = capsys.readouterr().out
    assert "is recomputed" in said
    assert "up to date" not in said
    same = (world / "features" / "index.json").read_bytes() == before
    assert same == (change in (forget, damage))  # what training depends on follows the content
    assert features(world) == 0
    assert "up to date" in capsys.readouterr().out


def touch(world: Path) -> None:
    for number, path in enumerate((world / "images").iterdir()):
        os.utime(path, ns=(number, number))


def copy(world: Path) -> None:
    shutil.copytree(world / "images", world / "copy")
    shutil.rmtree(world / "images")
    shutil.copytree(world / "copy", world / "images", copy_function=shutil.copyfile)


def add_others(world: Path) -> None:
    (world / "images" / "more.png").write_bytes(picture(0, "PNG"))


@pytest.mark.parametrize("change", [touch, copy, add_others])
def test_features_of_the_same_pictures_stay(
    world: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], None]
) -> None:
    before = (world / "features" / "index.json").stat().st_mtime_ns
    change(world)
    assert features(world) == 0
    assert "up to date" in capsys.readouterr().out
    assert (world / "features" / "index.json").stat().st_mtime_ns == before


def test_the_index_does_not_depend_on_when_and_where(world: Path, tmp_path: Path) -> None:
    index = (world / "features" / "index.json").read_bytes()
    touch(world)
    shutil.rmtree(world / "features")
    assert features(world) == 0
    assert (world / "features" / "index.json").read_bytes() == index


@pytest.mark.parametrize("whole", [True, False])
def test_a_picture_that_was_left_out_is_encoded_once_it_is_there(
    world: Path, capsys: pytest.CaptureFixture[str], whole: bool
) -> None:
    path = world / "images" / "3.png"
    content = path.read_bytes()
    path.write_bytes(b"no picture") if whole else path.unlink()
    assert features(world, "--max-bad-share", "0.5") == 0
    capsys.readouterr()
    assert features(world, "--max-bad-share", "0.5") == 0
    assert "up to date" in capsys.readouterr().out
    path.write_bytes(content)
    assert features(world, "--max-bad-share", "0.5") == 0
    assert "3.png" in FeatureStore(world / "features").index["images"]


def test_pictures_in_rows_are_distinguished_by_content(vision: Path, tmp_path: Path) -> None:
    for number, expected in ((0, False), (1, False), (1, True)):
        rows = [{"image": {"bytes": picture(number, "PNG"), "path": "image.png"}}]
        write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
        out = tmp_path / "features"
        before = (out / "index.json").stat().st_mtime_ns if out.exists() else None
        line = ["features", "--vision", vision, "--data", tmp_path / "rows.parquet", "--out", out]
        assert main([str(word) for word in line]) == 0
        assert ((out / "index.json").stat().st_mtime_ns == before) == expected


def test_names_without_a_mark_are_not_trusted(tmp_path: Path) -> None:
    write_marks(tmp_path, {"a": Mark()})
    assert unchanged(tmp_path, ["a"], ImageSource(tmp_path))
    assert not unchanged(tmp_path, ["a", "b"], ImageSource(tmp_path))
    assert not is_current(tmp_path, {}, ["a"], ImageSource(tmp_path))
