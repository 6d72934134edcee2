"""Features of the frozen encoder: computed once per image set, shared by all cells and jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from paretoken.data.feature_index import read_feature_index
from paretoken.data.image_files import name_problem
from paretoken.data.images import ImageSource
from paretoken.data.preprocessor import Preprocessor
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.escape import shown
from paretoken.files import read_object, write_json
from paretoken.folders import replacing_folder
from paretoken.library_errors import enough_memory
from paretoken.npy_files import open_array

ARRAY, INDEX = "features.npy", "index.json"


class FeatureStore:
    """Memory-mapped features (images, layers, patches, width) with the names of their images.

    Args:
        path: what `compute_features` wrote.
        max_bad_share: share of a data set's images that may be without features.

    Raises:
        UserError: the folder is no feature store, or its array is damaged.
    """

    argument = "features"

    def __init__(self, path: Path, max_bad_share: float = 0.0) -> None:
        self.max_bad_share = max_bad_share
        if not (path / INDEX).exists():
            raise UserError(f"{path} holds no features; compute them with `paretoken features`")
        again = f"delete {path} and rerun"
        self.path, self.index = path, read_feature_index(path / INDEX, again)
        self.array: NDArray[np.float16] = open_array(path / ARRAY, np.float16, 4, again)
        shape, images = self.index["shape"], self.index["images"]
        if list(self.array.shape) != shape or len(images) > shape[0]:
            raise UserError(f"{path / ARRAY} does not fit its index; {again}")
        if len(self.index["layers"]) != shape[1]:
            raise UserError(f"{path / ARRAY} does not hold the layers that its index names; {again}")
        self._rows = {name: row for row, name in enumerate(self.index["images"])}

    @property
    def layers(self) -> tuple[int, ...]:
        """The encoder's ``hidden_states`` indices, ascending."""
        return tuple(self.index["layers"])

    def demand_encoder(self, encoder_hash: str) -> None:
        """Raise `UserError` if another encoder made these features."""
        if self.index["encoder"] != encoder_hash:
            raise UserError(
                f"the features in {self.path} come from another vision encoder; "
                "compute them again with `paretoken features`"
            )

    def locate(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of images, -1 where there is none (`UserError` if that is too many)."""
        missing = [name for name in names if name not in self._rows]
        if len(missing) > self.max_bad_share * len(names):
            more = f" and {len(missing) - 1} more images" if len(missing) > 1 else ""
            raise UserError(
                f"{self.path} has no features of {shown(missing[0])}{more} of {len(names)}; compute "
                "them with `paretoken features` (training may leave some out: --max-bad-share)"
            )
        return np.array([self._rows.get(name, -1) for name in names], np.int64)

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the features of ``rows`` (rows, layers, patches, width), float16."""
        return torch.from_numpy(self.array[rows])

    def read(self, rows: NDArray[np.int64]) -> tuple[Tensor, dict[int, str]]:
        """Return the same, zeros where there are none, and why, by the place in ``rows``."""
        features, missing = self.array[rows], np.flatnonzero(rows < 0)
        features[missing] = 0
        reason = f"{self.path} has no features of it"
        return torch.from_numpy(features), {int(place): reason for place in missing}


class PixelStore:
    """Images read when a batch needs them, for data too large to store features of.

    Args:
        source: where they are.
        preprocess: from image to pixels.
        max_bad_share: share of a data set's images that may be missing.
    """

    argument = "pixel_values"

    def __init__(
        self, source: ImageSource, preprocess: Preprocessor, max_bad_share: float = 0.0
    ) -> None:
        self.source, self.preprocess, self.max_bad_share = source, preprocess, max_bad_share
        self._names: list[str] = []
        self._rows: dict[str, int] = {}

    def locate(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return a number for each image (`UserError` if too many are missing)."""
        new = [name for name in names if name not in self._rows]
        missing = self.source.missing(new)
        if len(missing) > self.max_bad_share * len(new):
            problem = name_problem(missing[0])
            reason = f": it {problem}" if problem else ""
            raise UserError(
                f"{len(missing)} of {len(new)} images are missing, {shown(missing[0])} for one{reason}; "
                "put them in their place (training may leave some out: --max-bad-share)"
            )
        for name in new:
            self._rows[name] = len(self._names)
            self._names.append(name)
        return np.array([self._rows[name] for name in names], np.int64)

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the pixel values of ``rows`` (rows, channels, height, width)."""
        fit = self.preprocess.fit
        return torch.from_numpy(self.preprocess([fit(self.source.open(self._names[r])) for r in rows]))

    def read(self, rows: NDArray[np.int64]) -> tuple[Tensor, dict[int, str]]:
        """Return the same, black where an image cannot be read, and why, by the place in ``rows``."""
        images, failed = [], {}
        for place, row in enumerate(rows):
            try:
                images.append(self.preprocess.fit(self.source.open(self._names[row])))
            except (UserError, OSError) as error:
                failed[place] = str(error)
                images.append(Image.new("RGB", (self.preprocess.size, self.preprocess.size)))
        return torch.from_numpy(self.preprocess(images)), failed


def features_key(
    encoder_hash: str, layers: Sequence[int], normalised: bool, preprocess: Preprocessor
) -> dict[str, Any]:
    """Return what determines features, other than the images."""
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
            # Absent where it is the usual thing: features of before stay what they are.
            **({} if preprocess.centre else {"centre": False}),
        },
    }


def is_current(path: Path, key: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether ``path`` already holds exactly these features."""
    if not (path / INDEX).exists():
        return False
    index = read_object(path / INDEX)
    rows = index.get("skipped", [])
    skipped = [row.get("row") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    left_out = {row for row in skipped if isinstance(row, str)}
    stored = [name for name in names if name not in left_out]
    return all(index.get(k) == v for k, v in key.items()) and index.get("images") == stored


def compute_features(
    path: Path,
    names: Sequence[str],
    source: ImageSource,
    encoder: nn.Module,
    preprocess: Preprocessor,
    key: dict[str, Any],
    skips: Skips,
    batch: int = 64,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Encode images and store their features atomically, as float16.

    Args:
        path: folder to write.
        names: the images, in the order of the rows.
        source: where they are.
        encoder: the frozen encoder, from pixel values to features; runs on its weights' device.
        preprocess: from image to pixels.
        key: what `features_key` returned.
        skips: takes the images that cannot be read; their features are left out of the index.
        batch: images at a time; fewer where the encoder or its preprocessor takes fewer.
        progress: is told how many of how many are done.

    Returns:
        How many images were stored.

    Raises:
        UserError: more images are bad than ``skips`` allows, memory is short, or the disk is full.
    """
    batch = min(batch, preprocess.at_once, getattr(encoder, "at_once", batch))
    device = next(encoder.parameters()).device
    stored: list[str] = []
    with replacing_folder(path) as folder:
        array: NDArray[np.float16] | None = None
        for start in range(0, len(names), batch):
            images = _open(names[start : start + batch], source, preprocess, skips)
            if images:
                pixels = torch.from_numpy(preprocess([image for _, image in images]))
                with enough_memory(f"{len(images)} images at once; give a smaller --batch"):
                    part = encoder(pixels.to(device)).to(torch.float16).cpu().numpy()
                if array is None:
                    array = _create(folder / ARRAY, (len(names), *part.shape[1:]))
                array[len(stored) : len(stored) + len(part)] = part
                stored += [name for name, _ in images]
            progress(min(start + batch, len(names)), len(names))
        skips.check(len(names))
        if array is None:
            raise UserError("there is no image to encode")
        shape = [int(size) for size in array.shape]
        array.flush()  # type: ignore[attr-defined]  # a memmap
        content = {**key, "shape": shape, "dtype": "float16", "skipped": skips.record()}
        write_json(folder / INDEX, {**content, "images": stored})
    return len(stored)


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
                skips.check(1)  # nothing may be skipped: say so now, not after an hour
    return images


def _create(path: Path, shape: tuple[int, ...]) -> NDArray[np.float16]:
    array: NDArray[np.float16] = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float16, shape=shape
    )
    with path.open("r+b") as stream:
        # Reserve the space now: a full disk under a memory map would end in a bus error.
        os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return array
