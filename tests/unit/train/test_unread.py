"""Images that cannot be read while a stage trains."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import stages
from paretoken.data.collation import IGNORED, UNREAD
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import ImageSource
from paretoken.data.preprocessor import read_preprocessor
from paretoken.errors import UserError
from paretoken.train.stage import StageInputs, run_stage
from paretoken.train.trainer import StageTrainer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

#: Images of the tiny world.
COUNT = 24


def damage(path: Path) -> None:
    """Overwrite a part of a picture's body; header and end stay as they are."""
    content = path.read_bytes()
    path.write_bytes(content[:60] + bytes(40) + content[100:])


@pytest.fixture
def images(tiny_world: Path, tmp_path: Path) -> Path:
    """Pictures of the test's own."""
    return Path(shutil.copytree(tiny_world / "images", tmp_path / "images"))


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Let a function see the trainer and each batch before it is trained."""

    def watched(look: Callable[..., None]) -> None:
        step = StageTrainer.training_step

        def first_look(self: StageTrainer, model: Any, batch: dict[str, Any], *args: Any) -> Any:
            look(self, batch)
            return step(self, model, batch, *args)

        monkeypatch.setattr(StageTrainer, "training_step", first_look)

    return watched


def weights(inputs: StageInputs) -> dict[str, torch.Tensor]:
    return load_file(inputs.out / "adapter" / "adapter.safetensors")


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_images_are_skipped_and_listed_within_the_share(
    tiny_world: Path,
    tmp_path: Path,
    images: Path,
    watch: Callable[[Callable[..., None]], None],
    workers: int,
) -> None:
    damage(images / "3.png")
    learned: list[int] = []
    lost: list[int] = []

    def look(_: StageTrainer, batch: dict[str, Any]) -> None:
        learned.append(int((batch["labels"] != IGNORED).sum()))
        lost.append(batch[UNREAD]["labels"] if UNREAD in batch else 0)
        assert torch.isfinite(batch["pixel_values"]).all()

    watch(look)
    inputs = stages.inputs(tiny_world, tmp_path / "out", images=images, max_bad_share=1 / COUNT)
    record = run_stage(inputs, stages.recipe(tiny_world, steps=3, workers=workers))
    (found,) = record["unreadable_images"]
    assert found["image"] == "3.png"
    assert str(images / "3.png") in found["reason"]
    assert record["learned_tokens"] == sum(learned)
    good = run_stage(
        stages.inputs(tiny_world, tmp_path / "good", images=tiny_world / "images"),
        stages.recipe(tiny_world, steps=3),
    )
    assert sum(lost) == good["learned_tokens"] - record["learned_tokens"] > 0
    assert good["conversations"] == record["conversations"]
    assert good["unreadable_images"] == []


def test_the_first_unreadable_image_stops_a_run_that_may_skip_none(
    tiny_world: Path, tmp_path: Path, images: Path
) -> None:
    damage(images / "3.png")
    inputs = stages.inputs(tiny_world, tmp_path / "out", images=images)
    with pytest.raises(
        UserError, match=r"1 of 24 images is bad(.|\n)*3\.png(.|\n)*same command resumes"
    ):
        run_stage(inputs, stages.recipe(tiny_world, workers=1))


def test_a_run_that_too_many_images_stop_goes_on_once_they_are_there(
    tiny_world: Path, tmp_path: Path, images: Path, watch: Callable[[Callable[..., None]], None]
) -> None:
    damage(images / "3.png")
    recipe = stages.recipe(tiny_world, steps=9)
    whole = stages.inputs(tiny_world, tmp_path / "whole", images=images, max_bad_share=1 / COUNT)
    expected = run_stage(whole, recipe)

    losing = [True]

    def lose_one(trainer: StageTrainer, _: dict[str, Any]) -> None:
        if losing and trainer.state.global_step == 5:
            (images / "4.png").unlink(missing_ok=True)

    watch(lose_one)
    inputs = dataclasses.replace(whole, out=tmp_path / "out")
    for _ in range(2):  # still missing at the second start
        with pytest.raises(UserError, match=r"2 of 24 images are bad") as error:
            run_stage(inputs, recipe)
        assert "3.png" in str(error.value)
        assert "4.png" in str(error.value)
        assert [path.name for path in inputs.out.glob("checkpoints/*-*")] == ["checkpoint-5"]
    losing.clear()
    shutil.copy(tiny_world / "images" / "4.png", images)
    record = run_stage(inputs, recipe)
    for key in ("unreadable_images", "learned_tokens", "conversations"):
        assert record[key] == expected[key]
    assert record["loss"][-1] == expected["loss"][-1]
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(inputs)[name], tensor)


def test_whitening_leaves_unreadable_images_out(tiny_world: Path, tmp_path: Path, images: Path) -> None:
    choice = dataclasses.replace(stages.inputs(tiny_world, tmp_path).choice, whiten=True)
    inputs = stages.inputs(tiny_world, tmp_path / "out", images=images, choice=choice)
    damage(images / "3.png")
    with pytest.raises(UserError, match=r"whitening: 1 of 24 images is bad(.|\n)*3\.png"):
        run_stage(inputs, stages.recipe(tiny_world, steps=1))
    record = run_stage(
        dataclasses.replace(inputs, max_bad_share=0.1), stages.recipe(tiny_world, steps=1)
    )
    assert record["steps"] == 1


def test_stores_say_what_they_cannot_read(tiny_world: Path, images: Path) -> None:
    names = ["0.png", "gone.png", "1.png", "2.png"]
    preprocess = read_preprocessor(tiny_world / "vision")
    damage(images / "1.png")
    for share, missing in ((0.0, 1), (0.2, 1)):
        with pytest.raises(UserError, match=f"{missing} of 4 images is missing, such as 'gone.png'"):
            PixelStore(ImageSource(images), preprocess, share).locate(names)
        with pytest.raises(UserError, match=r"no features of 'gone\.png' of 4"):
            FeatureStore(tiny_world / "features", share).locate(names)
    pixels = PixelStore(ImageSource(images), preprocess, 0.25)
    values, failed = pixels.read(pixels.locate(names))
    assert set(failed) == {1, 2}
    assert np.array_equal(values[[0, 3]], pixels.gather(pixels.locate(["0.png", "2.png"])))
    features = FeatureStore(tiny_world / "features", 0.25)
    stored, lacking = features.read(features.locate(names))
    assert set(lacking) == {1}
    assert (stored[1] == 0).all()
    assert np.array_equal(stored[[0, 2]], features.gather(features.locate(["0.png", "1.png"])))
