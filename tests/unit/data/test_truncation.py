"""What is left of conversations beyond ``max_length``, against rows that are expanded as lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_order_and_collation import IMAGE, Rows

from paretoken.data.collation import IGNORED, TrainingCollator
from paretoken.data.encoded import EncodedSet
from paretoken.data.truncation import truncate
from paretoken.errors import UserError

#: One token of a conversation: its id and whether it is learned.
Tokens = list[tuple[int, bool]]
TOKEN = st.tuples(st.integers(1, IMAGE - 1), st.booleans())


@st.composite
def conversations(draw: st.DrawFn) -> list[tuple[int, Tokens]]:
    """Draw conversations: the image each shows (-1: none), and its tokens."""
    drawn = []
    for _ in range(draw(st.integers(1, 6))):
        tokens: Tokens = draw(st.lists(TOKEN, min_size=1, max_size=14))
        image = draw(st.integers(-1, 2))
        if image >= 0:
            tokens.insert(draw(st.integers(0, len(tokens))), (IMAGE, False))
        drawn.append((image, tokens))
    return drawn


def made_set(drawn: list[tuple[int, Tokens]]) -> EncodedSet:
    flat = [token for _, tokens in drawn for token in tokens]
    lengths = [len(tokens) for _, tokens in drawn]
    images = np.array([image for image, _ in drawn], np.int32)
    questions = np.arange(1, 4 * len(drawn) + 1, dtype=np.int32)
    return EncodedSet(
        np.array([i for i, _ in flat], np.int32), np.array([learned for _, learned in flat], bool),
        np.cumsum([0, *lengths]), images, ["0", "1", "2"], IMAGE, "chat", "",
        questions, np.arange(0, 4 * len(drawn) + 1, 4),
    )  # fmt: skip


def expected(image: int, tokens: Tokens, V: int, limit: int) -> tuple[list[int], list[int], bool]:
    """Return ids and labels of one showing, and whether its image is in it, one token at a time."""
    ids: list[int] = []
    labels: list[int] = []
    for token, learned in tokens:
        run = [token] * V if token == IMAGE else [token]
        if token == IMAGE and len(ids) + V > limit:
            return ids[:limit], labels[:limit], False
        ids += run
        labels += [token if learned and i + len(labels) > 0 else IGNORED for i in range(len(run))]
    return ids[:limit], labels[:limit], image >= 0 and V > 0


@given(
    drawn=conversations(),
    V=st.integers(0, 6),
    limit=st.integers(7, 16),
    packing=st.sampled_from([None, "rows", "flat"]),
    elastic=st.integers(0, 3),
    data=st.data(),
)
def test_a_batch_holds_what_fits_and_the_images_of_exactly_that(
    drawn: list[tuple[int, Tokens]], V: int, limit: int, packing: Any, elastic: int, data: st.DataObject
) -> None:
    encoded, shape = made_set(drawn), (len(drawn), elastic)
    counts: NDArray[np.int64] | None = None
    if elastic and V:
        cells = st.lists(st.integers(1, V), min_size=len(drawn) * elastic, max_size=len(drawn) * elastic)
        counts = np.array(data.draw(cells), np.int64).reshape(shape)
    made = TrainingCollator(encoded, Rows() if V else None, V, 0, limit, packing, counts, ask=bool(V))
    numbers = data.draw(st.lists(st.integers(0, len(drawn) - 1), min_size=1, max_size=6))
    batch = made(numbers)
    showings = [
        (*expected(*drawn[n], int(count), limit), drawn[n][0], int(count), n)
        for n in numbers
        for count in made.counts[n]
    ]
    ids, labels = batch["input_ids"].numpy(), batch["labels"].numpy()
    assert packing == "flat" or ids.shape[1] <= limit
    want = sorted((i, [x for x in la if x != IGNORED]) for i, la, *_ in showings)
    if packing is None:
        read = [
            (row[: len(s[0])].tolist(), [x for x in la.tolist() if x != IGNORED])
            for row, la, s in zip(ids, labels, showings, strict=True)
        ]
        assert sorted(read) == want
    assert sorted(labels[labels != IGNORED].tolist()) == sorted(x for _, la in want for x in la)
    assert (labels != IGNORED).sum() == made.learned[numbers].sum()
    shown = [(image, count, n) for *_, seen, image, count, n in showings if seen]
    assert (ids == IMAGE).sum() == sum(count for _, count, _ in shown)
    if V:
        names = batch["features"][batch["image_index"]].tolist()
        assert sorted(names) == sorted(image for image, _, _ in shown)
        if counts is not None:
            assert batch["token_counts"].sum() == (ids == IMAGE).sum()
        assert len(batch["question_ids"]) == max(1, len(shown))
        assert batch["question_ids"].shape[1] <= limit


@given(drawn=conversations(), V=st.integers(0, 6), limit=st.integers(7, 16))
def test_what_conversations_lose_is_counted(drawn: list[tuple[int, Tokens]], V: int, limit: int) -> None:
    kept = truncate(made_set(drawn), np.full((len(drawn), 1), V), limit)
    found = [[expected(image, tokens, V, cut) for cut in (limit, 10**6)] for image, tokens in drawn]
    left = [[sum(label != IGNORED for label in labels) for _, labels, _ in both] for both in found]
    assert kept.learned.tolist() == [cut for cut, _ in left]
    assert kept.uncut.tolist() == [whole for _, whole in left]
    assert kept.losses() == {
        "part": sum(0 < cut < whole for cut, whole in left),
        "all": sum(cut == 0 < whole for cut, whole in left),
        "image": sum(whole[2] and not cut[2] for cut, whole in found),
    }


def test_a_long_question_is_cut_where_a_conversation_is() -> None:
    drawn = [(0, [(IMAGE, False), (2, True), (3, True)])]
    encoded = made_set(drawn)
    made = TrainingCollator(encoded, Rows(), 1, 0, 3, ask=True)
    assert encoded.question(0) == [1, 2, 3, 4]
    assert made([0])["question_ids"].tolist() == [[1, 2, 3]]


def test_a_conversation_without_the_placeholder_of_its_image_is_refused() -> None:
    with pytest.raises(UserError, match=r"conversation 2 .* has no placeholder"):
        truncate(made_set([(-1, [(1, True)]), (0, [(1, True)] * 9)]), np.full((2, 1), 2), 8)
