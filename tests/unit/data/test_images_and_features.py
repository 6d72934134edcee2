from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from paretoken.cli import main
from paretoken.data.feature_writer import compute_features, features_key, is_current
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import ImageSource, open_image, stored_images
from paretoken.data.preprocessor import Preprocessor, read_preprocessor
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.models.vision import VisionEncoder, load_encoder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    tiny.save_vision(folder / "vision")
    tiny.save_data(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(world: Path) -> VisionEncoder:
    return load_encoder(world / "vision", [2, 3], False)


@pytest.mark.parametrize("size", [(24, 24), (60, 37), (33, 90)])
def test_preprocessing_equals_the_clip_processor(world: Path, size: tuple[int, int]) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8))
    reference = CLIPImageProcessorPil(
        size={"shortest_edge": 24},
        crop_size={"height": 24, "width": 24},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    expected = reference(images=[image], return_tensors="np")["pixel_values"]
    actual = read_preprocessor(world / "vision")([image])
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_padding_keeps_the_whole_image_in_the_middle() -> None:
    wide = Image.new("RGB", (40, 20), (255, 255, 255))
    pixels = Preprocessor(20, (0.5,) * 3, (0.5,) * 3, aspect="pad")([wide])[0]
    assert pixels[:, 10].min() > 0.9  # the image
    assert abs(pixels[:, 0]).max() < 0.02  # the mean colour above it


def test_image_bombs_truncated_and_missing_images_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300)).save(tmp_path / "large.png")
    whole = (tmp_path / "large.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no image")
    source = ImageSource(tmp_path, max_pixels=100_000)
    for name, message in (
        ("large.png", "400 x 300 pixels; at most 100,000"),
        ("text.png", "truncated"),
        ("none.png", "missing"),
        ("../large.png", "leads out"),
    ):
        with pytest.raises(UserError, match=message):
            source.open(name)
    with pytest.raises(UserError, match="truncated"):
        open_image(tmp_path / "cut.png", "cut.png")


def test_images_stored_in_rows_are_found() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (5, 5), (9, 9, 9)).save(stream, "PNG")
    rows = [{"image": {"bytes": stream.getvalue(), "path": "a.png"}}, {"image": "b.png"}]
    source = ImageSource(stored=stored_images(rows))
    assert source.missing(["a.png", "b.png"]) == ["b.png"]
    assert source.open("a.png").getpixel((0, 0)) == (9, 9, 9)


def store(world: Path, out: Path, encoder: VisionEncoder, share: float = 0.0) -> FeatureStore:
    preprocess = read_preprocessor(world / "vision")
    names = sorted(path.name for path in (world / "images").iterdir())
    key = features_key("hash", [2, 3], False, preprocess)
    source = ImageSource(world / "images")
    compute_features(out, names, source, encoder, preprocess, key, Skips("images", share), batch=7)
    assert is_current(out, key, names, source)
    assert not is_current(out, {**key, "layers": [1]}, names, source)
    return FeatureStore(out)


def test_stored_features_equal_those_of_the_encoder(
    world: Path, tmp_path: Path, encoder: VisionEncoder
) -> None:
    stored = store(world, tmp_path / "features", encoder)
    online = PixelStore(ImageSource(world / "images"), read_preprocessor(world / "vision"))
    names = ["3.png", "11.png"]
    expected = encoder(online.gather(online.locate(names)))
    actual = stored.gather(stored.locate(names))
    assert actual.shape == (2, 2, 36, 32)
    assert actual.dtype == torch.float16
    torch.testing.assert_close(actual.float(), expected, atol=2e-3, rtol=2e-3)
    for other in (stored, online):
        with pytest.raises(UserError, match=r"nowhere\.png"):
            other.locate(["nowhere.png"])
    with pytest.raises(UserError, match="another vision encoder"):
        stored.require_encoder("other")


def test_images_that_are_known_to_be_bad_are_left_out(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = shutil.copytree(world / "images", tmp_path / "images")
    (images / "3.png").write_bytes(b"no picture")
    skipped, out = tmp_path / "skipped.json", tmp_path / "features"
    line = ["features", "--vision", str(world / "vision"), "--data", str(world / "train.jsonl"),
            "--images", str(images), "--out", str(out)]  # fmt: skip
    assert main(line) == 2
    assert not out.exists()
    skipped.write_text(json.dumps([{"image": "3.png", "reason": "no picture", "rows": 1}]))
    assert main([*line, "--skipped", str(skipped)]) == 0
    assert "3.png" not in FeatureStore(out).index["images"]
    assert len(FeatureStore(out).index["images"]) == 23
    shutil.rmtree(out)
    for _ in range(2):
        assert main([*line, "--max-bad-share", "0.1"]) == 0
    assert "up to date" in capsys.readouterr().out
    skipped.write_text("{}")
    assert main([*line, "--skipped", str(skipped)]) == 2
    assert "is not a list of skipped images" in capsys.readouterr().err


def test_damaged_features_are_refused(world: Path, tmp_path: Path, encoder: VisionEncoder) -> None:
    out = tmp_path / "features"
    store(world, out, encoder)
    array = (out / "features.npy").read_bytes()
    for part in (array[:-10], b""):
        (out / "features.npy").write_bytes(part)
        with pytest.raises(UserError, match="damaged"):
            FeatureStore(out)
    for text, message in (("null", "must hold a JSON object"), ("{}", "has no 'encoder'")):
        (out / "index.json").write_text(text)
        with pytest.raises(UserError, match=message):
            FeatureStore(out)
    with pytest.raises(UserError, match="holds no features"):
        FeatureStore(tmp_path)


def test_an_unreadable_image_stops_or_is_listed(
    world: Path, tmp_path: Path, encoder: VisionEncoder
) -> None:
    bad = tmp_path / "images"
    bad.mkdir()
    for path in (world / "images").iterdir():
        (bad / path.name).write_bytes(path.read_bytes())
    (bad / "5.png").write_text("broken")
    (tmp_path / "vision").symlink_to(world / "vision")
    with pytest.raises(UserError, match=r"5\.png"):
        store(tmp_path, tmp_path / "out", encoder)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".partial*"))
    preprocess = read_preprocessor(world / "vision")
    names = sorted(path.name for path in bad.iterdir())
    compute_features(
        tmp_path / "out", names, ImageSource(bad), encoder, preprocess, {}, Skips("images", 0.1)
    )
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert len(index["images"]) == 23
    assert index["skipped"][0]["row"] == "5.png"
