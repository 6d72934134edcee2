"""The index of stored features: what made them, and which images they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretoken.data.preprocessor import ASPECTS
from paretoken.errors import UserError
from paretoken.io.files import read_object


def read_feature_index(path: Path, again: str) -> dict[str, Any]:
    """Return the index of features, of the types that the rest of the program goes on with.

    Raises:
        UserError: something in it is missing or of another type; ``again`` says what to do then.
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
            raise UserError(f"{path} has something else in {key!r} than belongs there; {again}")
    return index


def _all_of(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)
