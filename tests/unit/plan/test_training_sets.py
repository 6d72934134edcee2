"""Lengths of the conversations of a stage: tokenized, downloaded, or one's own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from paretoken.errors import UserError
from paretoken.plan.training_sets import (
    CHARACTERS,
    LLAVA,
    TURN_TOKENS,
    described_set,
    own_set,
    tokenized_set,
)


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


def conversation(question: str, answer: str, image: str | None = "a.png") -> dict[str, object]:
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"image": image, "conversations": turns}


def test_ones_own_conversations_are_counted_and_their_lengths_estimated(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = [conversation("q" * 42, "a" * 21)] * 3 + [conversation("q" * 84, "a" * 420, None)]
    path.write_text(json.dumps([*rows, {"conversations": []}]))  # a bad row, which is left out
    seen, alone = own_set(path, captions=False).groups
    assert (seen.count, seen.image, alone.count, alone.image) == (3, True, 1, False)
    around = 2 * TURN_TOKENS
    placeholder = len("<image>\n") / CHARACTERS
    assert seen.text == pytest.approx(15 + placeholder + around, abs=1)
    assert (alone.text, alone.learned) == (pytest.approx(120 + around, abs=1), 101)
    captions = own_set(path, captions=True).groups[0]
    assert (captions.text, captions.learned) == (6, 6)  # the question is left out
    path.write_text(json.dumps(rows[:1]))  # a changed file is read again
    os.utime(path, ns=(1, 1))
    assert own_set(path, captions=False).conversations == 1


def test_ones_own_data_that_are_missing_or_unusable_cannot_be_planned(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist on this machine"):
        own_set(tmp_path / "none.json", captions=False)
    (tmp_path / "rows.json").write_text('[{"conversations": []}]')
    with pytest.raises(UserError, match="no row is a conversation"):
        own_set(tmp_path / "rows.json", captions=False)


def test_numbers_of_a_manifest_replace_those_of_llava(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "workflow" / "reference" / "llava_data.yaml"
    for stage in ("pretrain", "finetune"):
        assert described_set(shipped, stage) == LLAVA[stage]
    content = yaml.safe_load(shipped.read_text())
    for data_set in content["sets"]:
        data_set["conversations"].update(rows=1000, text_only=200, rows_by_folder={})
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    for stage in ("pretrain", "finetune"):
        own = described_set(tmp_path / "own.yaml", stage)
        assert [(group.count, group.image) for group in own.groups] == [(800, True), (200, False)]
        assert own.groups[0].text == LLAVA[stage].groups[0].text
        assert str(tmp_path / "own.yaml") in own.origin
    for data_set in content["sets"]:
        data_set["conversations"].update(rows=None, text_only=None)
    (tmp_path / "unknown.yaml").write_text(yaml.safe_dump(content))
    assert described_set(tmp_path / "unknown.yaml", "finetune") == LLAVA["finetune"]
