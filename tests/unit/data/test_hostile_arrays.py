"""Token arrays and features that do not fit together, or are not what their headers say, are refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoken.data.encoded import read_encoded
from paretoken.data.feature_writer import is_current
from paretoken.data.features import FeatureStore
from paretoken.data.images import ImageSource
from paretoken.data.picture_marks import Mark, write_marks
from paretoken.errors import UserError
from paretoken.io.npy_files import open_array

ARRAYS = {
    "ids": np.array([1, 9, 2], np.int32),
    "learned": np.array([True, False, True]),
    "offsets": np.array([0, 2, 3], np.int64),
    "images": np.array([0, -1], np.int32),
    "question_ids": np.array([4], np.int32),
    "question_offsets": np.array([0, 1, 1], np.int64),
}
INDEX = {"images": ["a.png"], "image_token_id": 9, "template": "chat"}


def tokens(folder: Path, index: Any = INDEX, **arrays: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in (ARRAYS | arrays).items():
        if isinstance(content, bytes):
            (folder / f"{name}.npy").write_bytes(content)
        else:
            np.save(folder / f"{name}.npy", content)
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def header(text: str, version: int = 1, length: int | None = None) -> bytes:
    size = len(text) + 1 if length is None else length
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<L", size)
        + text.encode()
        + b"\n"
    )


def described(descr: object, shape: object) -> bytes:
    return header(f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}") + bytes(64)


DAMAGED = [
    b"",
    b"\x93NUMPY",
    b"PK\x03\x04",
    b"\x80\x04N.",
    header("[" * 5000),
    header("{{}: 1}"),
    header("5"),
    header("", 2, 2**32 - 1),
    header("", 9),
    header("x" * 60_000),
    described("<i4", "(10**30,)"),
    *(
        described("<i4", shape)
        for shape in (
            "(99999999999999999999999,)",
            "(-5,)",
            "(True,)",
            "5",
            "()",
            "(2.5,)",
            "(1000000,)",
            "(3, 3)",
            "(0, 10**18)",
        )
    ),
    *(
        described(kind, "(1,)")
        for kind in (
            "<f4",
            "<i8",
            ">i4",
            "O",
            [],
            [("a", "O")],
            [("a", "<i4")],
            5,
            None,
            "x" * 50,
            "<i4,<i4",
            ("<i4", (2,)),
        )
    ),
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_array_is_a_user_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npy .*; do this"):
        open_array(tmp_path / "a.npy", np.int32, 1, "do this")


def test_whole_arrays_are_opened(tmp_path: Path) -> None:
    found = read_encoded(tokens(tmp_path / "t"))
    assert (len(found), found.largest_id(), found.question(0)) == (2, 2, [4])
    assert found.lengths(4).tolist() == [5, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"offsets": [0, 10**12, 3]},
        {"offsets": [0, 3, 2]},
        {"offsets": [1, 2, 3]},
        {"offsets": [0, 3]},
        {"offsets": [0, -1, 3]},
        {"offsets": [0, 2, 4]},
        {"images": [1, -1]},
        {"images": [0]},
        {"images": []},
        {"learned": [True]},
        {"ids": [1, -9, 2]},
        {"question_offsets": [0, 1, 5]},
        {"question_offsets": [0, 1]},
        {"question_ids": [-1]},
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(tmp_path: Path, change: Any) -> None:
    arrays = {name: np.array(values, ARRAYS[name].dtype) for name, values in change.items()}
    with pytest.raises(UserError, match=r"is damaged: .* run `paretoken tokenize` again"):
        read_encoded(tokens(tmp_path / "t", **arrays))


@pytest.mark.parametrize(
    "change",
    [
        {"images": 5},
        {"images": ["a", 5]},
        {"images": {"a": 1}},
        {"image_token_id": "x"},
        {"image_token_id": True},
        {"image_token_id": -1},
        {"image_token_id": 2**40},
        {"template": [1]},
        {"vocabulary": 5},
        {"sha256": [1]},
        {"sha256": {"ids": []}},
        {"sha256": {"../x": "y"}},
    ],
)
def test_an_index_of_other_types_is_refused(tmp_path: Path, change: Any) -> None:
    with pytest.raises(UserError, match="again"):
        read_encoded(tokens(tmp_path / "t", INDEX | change))


def test_questions_without_their_offsets_are_refused(tmp_path: Path) -> None:
    (tokens(tmp_path / "t") / "question_offsets.npy").unlink()
    with pytest.raises(UserError, match="without the other of the two"):
        read_encoded(tmp_path / "t")


FEATURES = {
    "shape": [2, 1, 4, 3],
    "images": ["a", "b"],
    "layers": [3],
    "encoder": "x",
    "normalised": False,
    "preprocess": {"aspect": "pad"},
}


def features(folder: Path, index: Any, array: Any = None) -> Path:
    folder.mkdir(exist_ok=True)
    np.save(folder / "features.npy", np.zeros((2, 1, 4, 3), np.float16) if array is None else array)
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        *(
            {key: value}
            for key in FEATURES
            for value in (None, 5, "y" * 3, [[1]], {"a": 1}, True)
            if (key, value) != ("encoder", "yyy") and (key, value) != ("normalised", True)
        ),
        {"images": ["a", "b", "c"]},
        {"shape": [2, 1, 4]},
        {"layers": [3, 4]},
        {"preprocess": {"aspect": "x"}},
    ],
)
def test_an_index_of_features_that_does_not_fit_is_refused(tmp_path: Path, change: Any) -> None:
    assert FeatureStore(features(tmp_path / "f", FEATURES)).layers == (3,)
    with pytest.raises(UserError, match="and rerun"):
        FeatureStore(features(tmp_path / "f", FEATURES | change))


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_features_of_another_type_are_refused(tmp_path: Path, dtype: Any) -> None:
    with pytest.raises(UserError, match="instead of float16 in 4"):
        FeatureStore(features(tmp_path / "f", FEATURES, np.zeros((2, 1, 4, 3), dtype)))


@pytest.mark.parametrize("skipped", [5, [5], [{}], [{"row": [1]}], {"a": 1}, None])
def test_odd_records_of_skipped_images_are_read_as_none(tmp_path: Path, skipped: Any) -> None:
    folder = features(tmp_path / "f", FEATURES | {"skipped": skipped})
    write_marks(folder, dict.fromkeys("abc", Mark()))
    assert is_current(folder, {}, ["a", "b"], ImageSource())
    assert not is_current(folder, {}, ["a", "c"], ImageSource())
