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
from paretoken.data.encoded import ARRAYS, QUESTION_ARRAYS, read_encoded
from paretoken.data.encoded_writer import write_encoded
from paretoken.data.labels import EncodedConversation
from paretoken.data.order import MicroBatches, data_order, plan_batches
from paretoken.data.packing import rows_of
from paretoken.errors import UserError

IMAGE = 9


class Rows:
    """A visual store whose feature of an image is its number."""

    argument = "features"

    def locate(self, names: list[str]) -> NDArray[np.int64]:
        return np.array([int(name) for name in names])

    def gather(self, rows: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(rows)

    def read(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, dict[int, str]]:
        return self.gather(rows), {}


def encoded_set(folder: Path, conversations: list[tuple[str | None, list[int], list[int]]]):
    cs = [Conversation(str(i), image, ("q", "a")) for i, (image, _, _) in enumerate(conversations)]
    es = [
        EncodedConversation(np.array(ids, np.int32), np.array(learned, bool))
        for _, ids, learned in conversations
    ]
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
    rows = [[1, *[IMAGE] * V, 2, 3], [1, 2, 3, 4, 5, 6], [1, *[IMAGE] * V, 4], [*[IMAGE] * V, 8]]
    length = max(map(len, rows))
    assert batch["input_ids"].tolist() == [row + [0] * (length - len(row)) for row in rows]
    learned = [[3], [5, 6], [4], [8] if V else []]  # nothing predicts a first token
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
    for content in (b"\x93NUMPY", b""):
        (tmp_path / "tokens" / "ids.npy").write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            read_encoded(tmp_path / "tokens")
    for text, message in (("[]", "must hold a JSON object"), ("{}", "has no 'image_token_id'")):
        (tmp_path / "tokens" / "index.json").write_text(text)
        with pytest.raises(UserError, match=message):
            read_encoded(tmp_path / "tokens")
    with pytest.raises(UserError, match="not a tokenized data set"):
        read_encoded(tmp_path)


@pytest.mark.parametrize("name", [*ARRAYS, *QUESTION_ARRAYS])
def test_one_changed_byte_of_a_token_file_is_noticed(tmp_path: Path, name: str) -> None:
    encoded_set(tmp_path / "tokens", [*DATA, ("5", [1, IMAGE, 4], [0, 0, 1])])
    array = tmp_path / "tokens" / f"{name}.npy"
    content = bytearray(array.read_bytes())
    if len(content) == 128:
        return  # nothing but a header: these conversations have no questions apart
    content[-1] ^= 1
    array.write_bytes(content)
    with pytest.raises(UserError, match=f"{name}.npy is damaged: its SHA-256 has changed"):
        read_encoded(tmp_path / "tokens")


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
    shares = [list(MicroBatches(order, plan, rank)) for rank in range(devices)]
    assert {len(share) for share in shares} == {len(MicroBatches(order, plan))}
    for step in range(2):
        mine = slice(step * plan.accumulation, (step + 1) * plan.accumulation)
        seen = [number for share in shares for batch in share[mine] for number in batch]
        assert sorted(seen) == sorted(order[step * 32 : (step + 1) * 32].tolist())


@given(devices=st.sampled_from([1, 2, 4]), micro=st.integers(1, 20), seed=st.integers(0, 99))
def test_packed_micro_batches_hold_the_same_conversations_in_equal_parts(
    devices: int, micro: int, seed: int
) -> None:
    lengths = np.random.default_rng(seed).integers(5, 400, 64)
    plan = plan_batches(32, micro, devices, packing=True)
    order = data_order(lengths, 2, 32, seed=seed, by_length=False)
    shares = [list(MicroBatches(order, plan, rank, lengths)) for rank in range(devices)]
    assert {len(share) for share in shares} == {2 * plan.accumulation}
    assert all(batch for share in shares for batch in share)
    first = [share[: plan.accumulation] for share in shares]
    seen = sorted(number for share in first for batch in share for number in batch)
    assert seen == sorted(order[:32].tolist())
    tokens = [int(lengths[batch].sum()) for share in first for batch in share]
    # Dealt longest first, two micro batches differ by no more than one conversation.
    assert max(tokens) - min(tokens) <= lengths[order[:32]].max()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_rows_are_full_and_no_longer_than_the_longest_conversation(sizes: list[int]) -> None:
    lengths = np.array(sizes)
    rows = rows_of(range(len(sizes)), lengths)
    assert sorted(number for row in rows for number in row) == list(range(len(sizes)))
    used = [int(lengths[row].sum()) for row in rows]
    assert max(used) <= max(sizes)
    # First fit: no row's conversations would have fitted into an earlier one.
    assert all(used[a] + lengths[rows[b]].min() > max(sizes) for b in range(len(rows)) for a in range(b))


def test_packed_rows_restart_positions_and_show_images_in_reading_order(tmp_path: Path) -> None:
    data = encoded_set(tmp_path / "tokens", DATA)
    collator = TrainingCollator(data, Rows(), 3, pad_id=0, max_length=20, packing="rows")
    assert collator.lengths.tolist() == [6, 6, 5, 4]
    batch = collator([2, 3, 0, 1])
    assert batch["input_ids"].tolist() == [
        [1, 9, 9, 9, 2, 3],
        [1, 2, 3, 4, 5, 6],
        [1, 9, 9, 9, 4, 0],
        [9, 9, 9, 8, 0, 0],
    ]
    batch = TrainingCollator(data, Rows(), 1, pad_id=0, max_length=20, packing="rows")([2, 3, 0, 1])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6], [1, 9, 2, 3, 9, 8], [1, 9, 4, 0, 0, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 0, 1], [0, 1, 2, 0, 1, 2]]
    assert batch["labels"].tolist() == [
        [-100, -100, -100, -100, 5, 6],
        [-100, -100, -100, 3, -100, 8],
        [-100, -100, 4, -100, -100, -100],
    ]
    assert batch["features"][batch["image_index"]].tolist() == [7, 7, 5]
    flat = TrainingCollator(data, Rows(), 1, pad_id=0, max_length=20, packing="flat")([2, 3])
    assert flat["input_ids"].tolist() == [[1, 9, 4, 9, 8]]
    assert flat["cu_seq_lens_q"].tolist() == flat["cu_seq_lens_k"].tolist() == [0, 3, 5]
    assert flat["max_length_q"] == flat["max_length_k"] == 3


def test_the_first_token_of_a_packed_conversation_has_no_loss(tmp_path: Path) -> None:
    learned_from_the_start = [(None, [1, 2], [1, 1]), (None, [3, 4], [1, 1])]
    data = encoded_set(tmp_path / "tokens", learned_from_the_start)
    batch = TrainingCollator(data, None, 0, pad_id=0, max_length=20, packing="flat")([0, 1])
    assert batch["labels"].tolist() == [[IGNORED, 2, IGNORED, 4]]


def test_a_batch_without_images_gets_one_that_nothing_shows(tmp_path: Path) -> None:
    data = encoded_set(tmp_path / "tokens", DATA)
    batch = TrainingCollator(data, Rows(), 3, pad_id=0, max_length=20)([1])
    assert batch["features"].tolist() == [7]
    assert batch["image_index"].tolist() == []


def test_devices_that_do_not_divide_the_batch_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be split over 3 devices"):
        plan_batches(32, 4, 3)


@pytest.mark.parametrize("by_length", [False, True])
def test_within_a_global_batch_micro_batches_hold_similar_lengths(by_length: bool) -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 64)
    order = data_order(lengths, 8, 8, seed=1, by_length=by_length).reshape(8, 8)
    assert (np.diff(lengths[order], axis=1) >= 0).all()
    assert sorted(order.ravel()) == list(range(64))
    spread = np.ptp(lengths[order], axis=1).mean()
    assert spread < 15 if by_length else spread > 25  # only the split is by length, not the batches
