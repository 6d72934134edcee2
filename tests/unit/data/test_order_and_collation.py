from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from paretoken.data.collation import IGNORED, TrainingCollator, pad_left
from paretoken.data.conversations import Conversation
from paretoken.data.encoded import read_encoded, write_encoded
from paretoken.data.labels import EncodedConversation
from paretoken.data.order import MicroBatches, data_order, plan_batches, steps_for
from paretoken.errors import UserError

IMAGE = 9


class Rows:
    """A visual store whose feature of an image is its number."""

    argument = "features"

    def locate(self, names: list[str]) -> NDArray[np.int64]:
        return np.array([int(name) for name in names])

    def gather(self, rows: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(rows)


def encoded_set(folder: Path, conversations: list[tuple[str | None, list[int], list[int]]]):
    cs = [Conversation(str(i), image, ("q", "a")) for i, (image, _, _) in enumerate(conversations)]
    es = [EncodedConversation(np.array(ids, np.int32), np.array(learned, bool))
          for _, ids, learned in conversations]  # fmt: skip
    write_encoded(folder, cs, es, IMAGE, {})
    return read_encoded(folder)


DATA = [
    ("7", [1, IMAGE, 2, 3], [0, 0, 0, 1]),
    (None, [1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 1, 1]),
    ("5", [1, IMAGE, 4], [0, 0, 1]),
    ("7", [IMAGE, 8], [0, 1]),
]


@pytest.mark.parametrize("V", [0, 1, 3])
def test_batches_are_padded_on_the_right_and_images_are_v_placeholders(tmp_path: Path, V: int) -> None:
    data = encoded_set(tmp_path / "tokens", DATA)
    collator = TrainingCollator(data, Rows() if V else None, V, pad_id=0, max_length=20)
    batch = collator([0, 1, 2, 3])
    rows = [
        [1, *[IMAGE] * V, 2, 3], [1, 2, 3, 4, 5, 6], [1, *[IMAGE] * V, 4], [*[IMAGE] * V, 8]
    ]  # fmt: skip
    length = max(map(len, rows))
    assert batch["input_ids"].tolist() == [row + [0] * (length - len(row)) for row in rows]
    learned = [[3], [5, 6], [4], [8]]
    for number, row in enumerate(batch["labels"].tolist()):
        assert [token for token in row if token != IGNORED] == learned[number]
    assert (batch["labels"][batch["input_ids"] == IMAGE] == IGNORED).all()
    if V:
        assert batch["features"].tolist() == [7, 5]  # each image once
        assert batch["features"][batch["image_index"]].tolist() == [7, 5, 7]
    else:
        assert set(batch) == {"input_ids", "labels"}
    assert data.lengths(V).tolist() == [len(row) for row in rows]


def test_long_conversations_are_cut(tmp_path: Path) -> None:
    data = encoded_set(tmp_path / "tokens", DATA)
    collator = TrainingCollator(data, Rows(), 2, pad_id=0, max_length=4)
    batch = collator([0, 1])
    assert batch["input_ids"].tolist() == [[1, IMAGE, IMAGE, 2], [1, 2, 3, 4]]
    assert (batch["labels"] == IGNORED).all()
    with pytest.raises(UserError, match="leave no room"):
        TrainingCollator(data, Rows(), 4, pad_id=0, max_length=4)


def test_a_damaged_token_file_is_refused(tmp_path: Path) -> None:
    encoded_set(tmp_path / "tokens", DATA)
    (tmp_path / "tokens" / "ids.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(UserError, match="damaged"):
        read_encoded(tmp_path / "tokens")
    with pytest.raises(UserError, match="no tokenized data set"):
        read_encoded(tmp_path)


def test_padding_on_the_left() -> None:
    ids, mask = pad_left([[1, 2, 3], [4]], pad_id=0)
    assert ids.tolist() == [[1, 2, 3], [0, 0, 4]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


@given(
    count=st.integers(3, 60), steps=st.integers(1, 30), batch=st.integers(1, 12), by_length=st.booleans()
)
def test_every_conversation_is_seen_equally_often(
    count: int, steps: int, batch: int, by_length: bool
) -> None:
    lengths = np.random.default_rng(count).integers(1, 50, count)
    order = data_order(lengths, steps, batch, seed=1, by_length=by_length)
    assert len(order) == steps * batch
    seen = np.bincount(order, minlength=count)
    assert seen.max() - seen.min() <= 1
    assert np.array_equal(order, data_order(lengths, steps, batch, seed=1, by_length=by_length))


def test_grouping_by_length_saves_padding_and_keeps_batches_random() -> None:
    lengths = np.random.default_rng(0).integers(1, 500, 1000)

    def padded(order: NDArray[np.int64]) -> int:
        return int((lengths[order].reshape(-1, 10).max(1) * 10).sum())

    plain = data_order(lengths, 100, 10, seed=1, by_length=False)
    grouped = data_order(lengths, 100, 10, seed=1, by_length=True)
    assert padded(grouped) < 0.7 * padded(plain)
    means = lengths[grouped].reshape(-1, 10).mean(1)
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3
    other = data_order(lengths, 100, 10, seed=2, by_length=True)
    assert not np.array_equal(grouped, other)


@given(devices=st.sampled_from([1, 2, 4, 8]), micro=st.integers(1, 40))
def test_a_global_batch_holds_the_same_conversations_on_any_number_of_devices(
    devices: int, micro: int
) -> None:
    plan = plan_batches(32, micro, devices)
    assert plan.micro_batch <= micro
    assert plan.micro_batch * plan.accumulation * devices == 32
    order = data_order(np.ones(64, np.int64), 4, 32, seed=0, by_length=True)
    batches = list(MicroBatches(order, plan.micro_batch))
    per_step = plan.accumulation * devices  # accelerate deals micro batches out in turn
    for step in range(4):
        mine = [i for b in batches[step * per_step : (step + 1) * per_step] for i in b]
        assert mine == order[step * 32 : (step + 1) * 32].tolist()


def test_devices_that_do_not_divide_the_batch_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be split over 3 devices"):
        plan_batches(32, 4, 3)
    assert steps_for(558_000, 256, 1) == 2180


@pytest.mark.parametrize("by_length", [False, True])
def test_within_a_global_batch_micro_batches_hold_similar_lengths(by_length: bool) -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 64)
    order = data_order(lengths, 8, 8, seed=1, by_length=by_length).reshape(8, 8)
    assert (np.diff(lengths[order], axis=1) >= 0).all()
    assert sorted(order.ravel()) == list(range(64))
    spread = np.ptp(lengths[order], axis=1).mean()
    assert spread < 15 if by_length else spread > 25  # only the split is by length, not the batches
