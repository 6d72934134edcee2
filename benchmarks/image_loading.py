"""Measure how fast images become batches, and how long a training step waits for them.

It prints, for each number of worker processes, the images per second, the share of the wall time that
steps of a given length wait for their batches, and the speed relative to no workers. ``--help`` lists
options.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

from paretoken.data.collation import TrainingCollator
from paretoken.data.conversations import Conversation
from paretoken.data.encoded import EncodedSet, read_encoded
from paretoken.data.encoded_writer import write_encoded
from paretoken.data.features import PixelStore
from paretoken.data.images import ImageSource
from paretoken.data.labels import EncodedConversation
from paretoken.data.order import MicroBatches, plan_batches
from paretoken.data.preprocessor import Preprocessor
from paretoken.train.trainer import RowNumbers

#: CLIP ViT-L/14 at 336 px.
SIZE, MEAN, STD = 336, (0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)


def make_world(folder: Path, images: int) -> EncodedSet:
    """Write photos of COCO's usual size and one short conversation about each."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    names = [f"{number}.jpg" for number in range(images)]
    for name in names:
        coarse = Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / "images" / name, quality=90)
    conversations = [Conversation("", name, ("q", "a")) for name in names]
    encoded = EncodedConversation(np.array([1, 9, 2, 3], np.int32), np.array([False] * 3 + [True]))
    write_encoded(folder / "tokens", conversations, [encoded] * images, 9, {})
    return read_encoded(folder / "tokens")


def measure(
    data: EncodedSet, images: Path, workers: int, micro: int, step_s: float
) -> tuple[float, float]:
    """Return images per second, and the share of the time that steps of ``step_s`` seconds wait."""
    store = PixelStore(ImageSource(images), Preprocessor(SIZE, MEAN, STD, aspect="pad"))
    loader = DataLoader(
        RowNumbers(len(data)),
        batch_sampler=MicroBatches(np.arange(len(data)), plan_batches(micro, micro, 1)),
        collate_fn=TrainingCollator(data, store, 1, 0, 2048),
        num_workers=workers,
    )
    batches = iter(loader)
    next(batches)  # the start of the workers is not timed
    waited, count, started = 0.0, 0, time.monotonic()
    while True:
        asked = time.monotonic()
        batch = next(batches, None)
        waited += time.monotonic() - asked
        if batch is None:
            break
        count += len(batch["pixel_values"])
        time.sleep(step_s)  # stands for a GPU that computes while the CPU is free
    wall = time.monotonic() - started
    return count / wall, waited / wall


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512, help="number of images of 640 x 480 pixels")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 1, 2], help="numbers of worker processes"
    )
    parser.add_argument("--micro-batch", type=int, default=16, help="number of images in a batch")
    parser.add_argument("--step", type=float, default=0.2, help="seconds that a step computes")
    a = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        data, images = make_world(Path(name), a.images), Path(name) / "images"
        first = None
        print(f"workers  images/s  images/s beside steps of {a.step} s  waiting  ratio")
        for workers in a.workers:
            alone, _ = measure(data, images, workers, a.micro_batch, 0.0)
            beside, waiting = measure(data, images, workers, a.micro_batch, a.step)
            first = first or beside
            print(f"{workers:7}  {alone:8.0f}  {beside:8.0f} {waiting:29.0%}  {beside / first:5.2f}")


if __name__ == "__main__":
    main()
