"""Lengths of a tokenized set, read without numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paretoken.plan.training_sets import tokenized_set


def write(folder: Path, lengths: list[int], images: list[int], learned: int) -> None:
    """Write a set whose conversations have these lengths, the last ``learned`` tokens with a loss."""
    folder.mkdir()
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    flags = np.concatenate([np.arange(n) >= n - learned for n in lengths])
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "images.npy", np.array(images, np.int32))
    np.save(folder / "learned.npy", flags)


def test_groups_with_and_without_image(tmp_path: Path) -> None:
    write(tmp_path / "tokens", [11, 13, 30, 31, 32], [0, 1, -1, -1, -1], learned=4)
    data = tokenized_set(tmp_path / "tokens")
    assert data is not None
    pictured, plain = data.groups
    assert (pictured.count, pictured.text, pictured.image) == (2, 11.0, True), "image is one token"
    assert (plain.count, plain.text, plain.image) == (3, 31.0, False)
    assert pictured.learned + plain.learned == pytest.approx(20 / 117 * (12 + 31))
    assert str(tmp_path) in data.origin


def test_a_large_set_is_sampled_evenly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(10, 90, 60_000).tolist()
    write(tmp_path / "tokens", lengths, rng.integers(-1, 3, 60_000).tolist(), learned=5)
    data = tokenized_set(tmp_path / "tokens")
    assert data is not None
    assert data.conversations == pytest.approx(60_000, abs=2)
    assert sum(g.count * (g.text + g.image) for g in data.groups) == pytest.approx(
        sum(lengths), rel=0.01
    )


def test_a_damaged_or_missing_set_is_ignored(tmp_path: Path) -> None:
    assert tokenized_set(tmp_path / "nowhere") is None
    write(tmp_path / "tokens", [5, 6], [0, -1], learned=2)
    (tmp_path / "tokens" / "offsets.npy").write_bytes(b"no array")
    assert tokenized_set(tmp_path / "tokens") is None
