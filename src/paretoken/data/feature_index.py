"""The index of stored features: their encoder and settings, and their images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretoken.data.preprocessor import ASPECTS
from paretoken.errors import UserError
from paretoken.io.files import read_object


def read_feature_index(path: Path, again: str) -> dict[str, Any]:
    """Return the index of features, with validated types.

    Args:
        path: the index file.
        again: what to do about a damaged index, for messages.

    Raises:
        UserError: a value is missing or invalid.
    """
    index = read_object(path)
    if lacking := {"shape", "images", "layers", "encoder", "normalised", "preprocess"} - index.keys():
        raise UserError(f"{path} has no {min(lacking)!r}; {again}")
    preprocess = index["preprocess"]
    usable = {
        "shape": _all_of(index["shape"], int) and len(index["shape"]) == 4,
        "images": _all_of(index["images"], str),
        "layers": _all_of(index["layers"], int),
        "encoder": isinstance(index["encoder"], str),
        "normalised": isinstance(index["normalised"], bool),
        "preprocess": isinstance(preprocess, dict) and preprocess.get("aspect") in ASPECTS,
    }
    for key, good in usable.items():
        if not good:
            raise UserError(f"{path} has an invalid value of {key!r}; {again}")
    return index


def _all_of(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)
