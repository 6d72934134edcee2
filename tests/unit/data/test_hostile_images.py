"""Pipes among images, folders that lead to themselves, encoders of huge images."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from paretoken.data.feature_writer import compute_features
from paretoken.data.features import ARRAY, PixelStore
from paretoken.data.image_index import index_images, inspect_image
from paretoken.data.images import ImageSource, open_image
from paretoken.data.preprocessor import Preprocessor
from paretoken.data.skips import Skips
from paretoken.data.survey import count_files
from paretoken.errors import UserError
from paretoken.io.bounded import MIB
from paretoken.model_files.library_errors import enough_memory
from paretoken.models.vision import MOST_NUMBERS, VisionEncoder
from paretoken.plan.training_sets import tokenized_set

#: CPU time that nothing here comes near; what was mended took hours.
CPU_SECONDS = 120


def in_child(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: what waits for a pipe, or walks for hours, ends with it."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
        preexec_fn=limit,  # this process has no other threads that hold locks
    )


def test_a_pipe_among_images_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "whole.png")
    done = in_child(f"""
        from pathlib import Path
        from paretoken.data.image_index import index_images, inspect_image
        from paretoken.data.skips import Skips
        skips = Skips("images", 1.0)
        seen = index_images(Path({str(tmp_path)!r}), ["pipe.jpg", "whole.png"], skips)
        print([image.name for image in seen], skips.rows)
    """)
    assert done.stdout.startswith("['whole.png'] [('pipe.jpg', ")
    assert "not a regular file but a pipe" in done.stdout


def test_devices_and_folders_are_not_images(tmp_path: Path) -> None:
    (tmp_path / "null.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    assert "pipe or a device" in str(inspect_image(tmp_path / "null.png"))
    with pytest.raises(UserError, match="pipe or a device"):
        open_image(tmp_path / "null.png", "null.png")
    skips = Skips("images", 1.0)
    assert not index_images(tmp_path, ["folder.png", "null.png"], skips)
    assert len(skips.rows) == 2


def test_a_plan_does_not_wait_for_a_pipe_in_the_place_of_tokens(tmp_path: Path) -> None:
    for name in ("offsets.npy", "images.npy", "learned.npy"):
        os.mkfifo(tmp_path / name)
    assert tokenized_set(tmp_path) is None


def test_folders_are_counted_once_however_many_links_lead_to_them(tmp_path: Path) -> None:
    for level in range(31):
        folder = tmp_path / f".d{level}"
        folder.mkdir()
        for name in "ab":
            (folder / name).symlink_to(f"../.d{level + 1}")
        (folder / "circle").symlink_to(".")
        (folder / "file").touch()
    (tmp_path / ".d31").mkdir()
    done = in_child(f"""
        from pathlib import Path
        from paretoken.data.survey import count_files
        print(count_files(Path({str(tmp_path / ".d0")!r})))
    """)
    assert done.stdout == "31\n"


def test_linked_folders_of_images_are_counted(tmp_path: Path) -> None:
    (tmp_path / "disk" / "train").mkdir(parents=True)
    (tmp_path / "disk" / "train" / "1.jpg").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "coco").symlink_to(tmp_path / "disk")
    (tmp_path / "data" / "train").symlink_to(tmp_path / "disk" / "train")
    for name in ("coco", "train"):
        assert count_files(tmp_path / "data" / name) == 1


class Means(nn.Module):
    """Stands in for an encoder: one number per image. It notes how many images come at once."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.batches = nn.Parameter(torch.zeros(1)), list[int]()

    def forward(self, pixels: Tensor) -> Tensor:
        self.batches.append(len(pixels))
        return pixels.mean((1, 2, 3))[:, None, None, None]


def test_batches_of_large_images_are_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretoken.data.preprocessor.MOST_PIXELS", 2 * 40**2 + 1)
    for number in range(5):
        Image.new("RGB", (40, 40), (50 * number,) * 3).save(tmp_path / f"{number}.png")
    preprocess, encoder = Preprocessor(40, (0.0,) * 3, (1.0,) * 3), Means()
    names, source = [f"{number}.png" for number in range(5)], ImageSource(tmp_path)
    out = tmp_path / "out"
    compute_features(out, names, source, encoder, preprocess, {"layers": [0]}, Skips("x"))
    assert encoder.batches == [2, 2, 1]
    found = np.load(out / ARRAY).ravel()
    np.testing.assert_allclose(found, np.arange(5) * 50 / 255, atol=1e-3)
    with pytest.raises(UserError, match="3 images of 40 x 40 pixels are too many at once"):
        preprocess([source.open(name) for name in names[:3]])


def test_one_of_the_largest_images_can_always_be_made_and_usual_batches_are_as_they_were() -> None:
    made = {
        size: Preprocessor(size, (0.5,) * 3, (0.5,) * 3).at_once for size in (336, 896, 9984, 10_000)
    }
    assert made[9984] == made[10_000] == 1
    assert made[336] > 512
    assert made[896] > 128


def test_pixels_take_the_memory_of_the_result_and_one_image_or_end_with_an_error() -> None:
    done = in_child(f"""
        import resource
        from pathlib import Path
        from PIL import Image
        from paretoken.data.preprocessor import Preprocessor
        from paretoken.errors import UserError
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        side, image = 2000, Image.new("RGB", (8, 8))
        result, one = 8 * 3 * side**2 * 4, 3 * side**2 * 4
        limit = used + result + 4 * one + {64 * MIB}
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        preprocess = Preprocessor(side, (0.5,) * 3, (0.5,) * 3)
        print(preprocess([image] * 8).shape)
        try:
            preprocess([image] * 20)
        except UserError as error:
            print(error)
    """)
    first, second = done.stdout.splitlines()
    assert first == "(8, 3, 2000, 2000)"
    assert (
        second
        == "there is not enough memory for 20 images of 2,000 pixels per side; give a smaller batch"
    )


def test_an_encoder_says_how_many_images_it_takes_at_once() -> None:
    from transformers import CLIPVisionConfig

    def encoder(width: int, layers: int, image: int, patch: int) -> VisionEncoder:
        config = CLIPVisionConfig(
            hidden_size=width,
            num_hidden_layers=layers,
            image_size=image,
            patch_size=patch,
            num_attention_heads=1,
        )
        return VisionEncoder(config, [0], tower=nn.Identity())

    assert encoder(1024, 24, 336, 14).at_once == 145
    assert encoder(32, 4, 9984, 32).at_once == MOST_NUMBERS // (5 * (312**2 + 1) * 32)
    with pytest.raises(UserError, match="makes 3,118,155,040 numbers of one image"):
        encoder(32, 1000, 9984, 32)


def test_a_lack_of_memory_is_an_error_of_the_users_and_other_errors_are_not() -> None:
    for lack in (MemoryError(), torch.OutOfMemoryError("CUDA out of memory")):
        with pytest.raises(UserError, match="there is not enough memory for it"), enough_memory("it"):
            raise lack
    with pytest.raises(UserError, match="there is not enough memory"), enough_memory("it"):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="shape"), enough_memory("it"):
        raise RuntimeError("shape")


def test_a_strip_that_would_become_gigabytes_is_a_bad_image(tmp_path: Path) -> None:
    Image.new("RGB", (8000, 40)).save(tmp_path / "strip.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "usual.png")
    store = PixelStore(ImageSource(tmp_path), Preprocessor(3000, (0.5,) * 3, (0.5,) * 3))
    pixels, failed = store.read(store.locate(["strip.png", "usual.png"]))
    assert pixels.shape == (2, 3, 3000, 3000)
    assert "8000 x 40 pixels become 600,000 x 3,000" in failed[0]
    assert Preprocessor(1448, (0.5,) * 3, (0.5,) * 3).fit(Image.new("L", (200, 1))).size == (1448, 1448)


def test_many_large_images_take_the_memory_of_their_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (6000, 5000)).save(tmp_path / "0.png", compress_level=1)
    for number in range(1, 16):
        (tmp_path / f"{number}.png").hardlink_to(tmp_path / "0.png")
    done = in_child(f"""
        import resource
        from pathlib import Path
        from paretoken.data.features import PixelStore
        from paretoken.data.images import ImageSource
        from paretoken.data.preprocessor import Preprocessor
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + {900 * MIB}, used + {900 * MIB}))
        source = ImageSource(Path({str(tmp_path)!r}))
        store = PixelStore(source, Preprocessor(32, (0.5,) * 3, (0.5,) * 3))
        print(store.gather(store.locate([f"{{n}}.png" for n in range(16)])).shape)
    """)
    assert done.stdout == "torch.Size([16, 3, 32, 32])\n"
