"""Encoding images into a folder of features, unless it already holds them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from paretoken.data.features import ARRAY, INDEX
from paretoken.data.images import ImageSource
from paretoken.data.picture_marks import Mark, contents, mark, unchanged, write_marks
from paretoken.data.preprocessor import Preprocessor
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.files import read_object, write_json
from paretoken.io.folders import replacing_folder
from paretoken.model_files.library_errors import enough_memory


def features_key(
    encoder_hash: str, layers: Sequence[int], normalised: bool, preprocess: Preprocessor
) -> dict[str, Any]:
    """Return the settings that determine features, without the images."""
    return {
        "encoder": encoder_hash,
        "layers": list(layers),
        "normalised": normalised,
        "preprocess": {
            "size": preprocess.size,
            "mean": list(preprocess.mean),
            "std": list(preprocess.std),
            "resample": preprocess.resample,
            "aspect": preprocess.aspect,
            # Only stored if it is not the default, so that features of older versions stay valid.
            **({} if preprocess.centre else {"centre": False}),
        },
    }


def is_current(path: Path, key: dict[str, Any], names: Sequence[str], source: ImageSource) -> bool:
    """Return whether ``path`` holds exactly these features of the current images.

    A folder of an older version, which does not record its images, is not current.
    """
    if not (path / INDEX).exists():
        return False
    index = read_object(path / INDEX)
    rows = index.get("skipped", [])
    skipped = [row.get("row") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    left_out = {row for row in skipped if isinstance(row, str)}
    stored = [name for name in names if name not in left_out]
    same = all(index.get(k) == v for k, v in key.items()) and index.get("images") == stored
    return same and unchanged(path, names, source)


def compute_features(
    path: Path,
    names: Sequence[str],
    source: ImageSource,
    encoder: nn.Module,
    preprocess: Preprocessor,
    key: dict[str, Any],
    skips: Skips,
    batch: int = 64,
    progress: ProgressCallback = silent,
) -> int:
    """Encode images and store their features atomically, as float16.

    Args:
        path: folder to write.
        names: names of the images, in the order of the rows.
        source: source of the images.
        encoder: the frozen encoder, from pixel values to features; runs on its weights' device.
        preprocess: from images to pixel values.
        key: the result of `features_key`.
        skips: collects the unreadable images, which are left out of the index.
        batch: images at a time, unless the encoder or its preprocessor takes fewer.
        progress: called with the images done and the number of all images.

    Returns:
        The number of images that were stored.

    Raises:
        UserError: more images are unreadable than ``skips`` allows, memory runs out, or the
            disk is full.
    """
    batch = min(batch, preprocess.at_once, getattr(encoder, "at_once", batch))
    stored: list[str] = []
    marks: dict[str, Mark] = {}
    with replacing_folder(path) as folder:
        array: NDArray[np.float16] | None = None
        for start in range(0, len(names), batch):
            part_names = names[start : start + batch]
            marks |= {name: mark(source, name) for name in part_names}
            images = _open(part_names, source, preprocess, skips)
            if images:
                part = _encoded([image for _, image in images], encoder, preprocess)
                if array is None:
                    array = _create(folder / ARRAY, (len(names), *part.shape[1:]))
                array[len(stored) : len(stored) + len(part)] = part
                stored += [name for name, _ in images]
            progress(min(start + batch, len(names)), len(names))
        skips.check(len(names))
        if array is None:
            raise UserError("there is no image to encode")
        array.flush()  # type: ignore[attr-defined]  # a memmap
        shape = [int(size) for size in array.shape]
        content = {**key, "shape": shape, "dtype": "float16", "skipped": skips.record()}
        write_marks(folder, marks)
        write_json(folder / INDEX, {**content, "pictures": contents(marks), "images": stored})
    return len(stored)


def _encoded(
    images: Sequence[Image.Image], encoder: nn.Module, preprocess: Preprocessor
) -> NDArray[np.float16]:
    """Return the features of a batch of images, encoded on the device of the encoder's weights."""
    pixels = torch.from_numpy(preprocess(images))
    with enough_memory(f"{len(images)} images at once; give a smaller --batch"):
        device = next(encoder.parameters()).device
        features: NDArray[np.float16] = encoder(pixels.to(device)).to(torch.float16).cpu().numpy()
    return features


def _open(
    names: Sequence[str], source: ImageSource, preprocess: Preprocessor, skips: Skips
) -> list[tuple[str, Image.Image]]:
    images = []
    for name in names:
        try:
            images.append((name, preprocess.fit(source.open(name))))
        except UserError as error:
            skips.add(name, str(error))
            if skips.share == 0:
                skips.check(1)  # no image may be skipped: raise now, not after an hour
    return images


def _create(path: Path, shape: tuple[int, ...]) -> NDArray[np.float16]:
    array: NDArray[np.float16] = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float16, shape=shape
    )
    with path.open("r+b") as stream:
        # Reserve the space now: a full disk under a memory map would raise a bus error.
        os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return array
