"""Features of the frozen encoder, computed once per image set, and shared by all cells and jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from paretoken.data.feature_index import read_feature_index
from paretoken.data.images import ImageSource
from paretoken.data.preprocessor import Preprocessor
from paretoken.data.stored_names import SEVERAL, by_path
from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.io.npy_files import open_array
from paretoken.io.text_tables import counted

ARRAY, INDEX = "features.npy", "index.json"


class FeatureStore:
    """Memory-mapped features (images, layers, patches, width) with the names of their images.

    Args:
        path: folder that `compute_features` wrote.
        max_bad_share: share of a data set's images that may have no features, 0 to 1.

    Raises:
        UserError: the folder is not a feature store, or its array is damaged.
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
        self._by_path = by_path(self._rows)

    @property
    def layers(self) -> tuple[int, ...]:
        """The encoder's ``hidden_states`` indices, ascending."""
        return tuple(self.index["layers"])

    def require_encoder(self, encoder_hash: str) -> None:
        """Raise `UserError` if another encoder made these features."""
        if self.index["encoder"] != encoder_hash:
            raise UserError(
                f"the features in {self.path} come from another vision encoder; "
                "compute them again with `paretoken features`"
            )

    def locate(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of images, -1 where there is none (`UserError` if too many have none)."""
        rows = [self.row(name) for name in names]
        missing = [name for name, row in zip(names, rows, strict=True) if row < 0]
        if len(missing) > self.max_bad_share * len(names):
            more = f" and {counted(len(missing) - 1, 'more image')}" if len(missing) > 1 else ""
            several = f" ({shown(missing[0])} {SEVERAL})" if missing[0] in self._by_path else ""
            raise UserError(
                f"{self.path} has no features of {shown(missing[0])}{more} of {len(names)}{several}; "
                "compute them with `paretoken features` (training may leave some out: --max-bad-share)"
            )
        return np.array(rows, np.int64)

    def row(self, name: str) -> int:
        """Return the row of an image, -1 if there is none.

        A path also finds an image that a row of a data set held, if no other image has that path.
        """
        return self._rows.get(name, self._rows.get(self._by_path.get(name) or "", -1))

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the features of ``rows`` (rows, layers, patches, width), float16."""
        return torch.from_numpy(self.array[rows])

    def read(self, rows: NDArray[np.int64]) -> tuple[Tensor, dict[int, str]]:
        """Return them with zeros for missing ones, and reasons by place in ``rows``."""
        features, missing = self.array[rows], np.flatnonzero(rows < 0)
        features[missing] = 0
        reason = f"{self.path} has no features of it"
        return torch.from_numpy(features), {int(place): reason for place in missing}


class PixelStore:
    """Images that are read when a batch needs them, for data whose features are too large to store.

    Args:
        source: the source of the images.
        preprocess: turns images into pixel values.
        max_bad_share: share of a data set's images that may be missing, 0 to 1.
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
            raise UserError(
                f"{len(missing)} of {counted(len(new), 'image')} "
                f"{'is' if len(missing) == 1 else 'are'} missing, such as {shown(missing[0])}: it "
                f"{self.source.problem(missing[0])}; put them in their place (training may leave some "
                "out: --max-bad-share)"
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
        """Return them, black for images that cannot be read, and reasons by place in ``rows``."""
        images, failed = [], {}
        for place, row in enumerate(rows):
            try:
                images.append(self.preprocess.fit(self.source.open(self._names[row])))
            except (UserError, OSError) as error:
                failed[place] = str(error)
                images.append(Image.new("RGB", (self.preprocess.size, self.preprocess.size)))
        return torch.from_numpy(self.preprocess(images)), failed
