"""The order of questions: nothing is lost, pictures are made as rarely as they can be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from paretoken.evaluate.question_order import batches, made_pictures
from paretoken.evaluate.recent import Recent

#: Questions by the length of their prompts and the names of their pictures.
Asked = list[tuple[int, tuple[str, ...]]]

NAMES = st.sampled_from([f"{n}.png" for n in range(12)])
LENGTH = st.integers(1, 40)
ONE_EACH: st.SearchStrategy[Asked] = st.lists(
    st.tuples(LENGTH, st.lists(NAMES, max_size=1).map(tuple)), max_size=60
)
SEVERAL: st.SearchStrategy[Asked] = st.lists(
    st.tuples(LENGTH, st.lists(NAMES, max_size=4).map(tuple)), max_size=60
)
SIZE, ROOM = st.integers(1, 9), st.integers(1, 14)


def ordered(asked: Asked, size: int, room: int) -> list[list[int]]:
    lengths, pictures = [length for length, _ in asked], [names for _, names in asked]
    return batches(lengths, pictures, size, room)


def by_length(asked: Asked, size: int) -> list[list[int]]:
    """The order without a cache."""
    order = sorted(
        range(len(asked)), key=lambda i: (asked[i][0], asked[i][1][0] if asked[i][1] else "", i)
    )
    return [order[start : start + size] for start in range(0, len(order), size)]


def made(asked: Asked, order: Sequence[Sequence[int]], room: int) -> int:
    return made_pictures(order, [names for _, names in asked], room)


def pictures(asked: Asked) -> int:
    return len({name for _, names in asked for name in names})


@given(SEVERAL, SIZE, st.integers(0, 14))
def test_every_question_is_in_one_batch_and_batches_are_full(asked: Asked, size: int, room: int) -> None:
    found = ordered(asked, size, room)
    assert sorted(number for batch in found for number in batch) == list(range(len(asked)))
    assert all(len(batch) == size for batch in found[:-1])
    assert all(0 < len(batch) <= size for batch in found)


@settings(max_examples=400)
@given(SEVERAL, SIZE, ROOM)
def test_pictures_are_never_made_more_often_than_without_a_cache(
    asked: Asked, size: int, room: int
) -> None:
    plain = by_length(asked, size)
    without = sum(len({name for i in batch for name in asked[i][1]}) for batch in plain)
    assert made(asked, plain, 0) == without
    assert pictures(asked) <= made(asked, ordered(asked, size, room), room) <= without


@given(SEVERAL, SIZE)
def test_pictures_that_fit_the_cache_are_made_once_in_the_order_of_lengths(
    asked: Asked, size: int
) -> None:
    found = ordered(asked, size, max(1, pictures(asked)))
    assert found == by_length(asked, size)
    assert made(asked, found, pictures(asked)) == pictures(asked)
    assert ordered(asked, size, 0) == found


@settings(max_examples=400)
@given(ONE_EACH, SIZE, ROOM)
def test_single_pictures_are_made_once_however_small_the_cache(
    asked: Asked, size: int, room: int
) -> None:
    assert made(asked, ordered(asked, size, room), room) == pictures(asked)


def test_a_benchmark_like_gqa_needs_each_picture_once_and_hardly_more_padding() -> None:
    """12,578 questions on 398 pictures, of which the cache holds 40; without it more than 5,000."""
    rng = np.random.default_rng(0)
    lengths = 25 + np.clip(rng.lognormal(2.1, 0.45, 12_578), 3, 40).astype(int)
    asked = [(int(n), (f"{rng.integers(398)}.jpg",)) for n in lengths]
    plain = by_length(asked, 64)
    assert made(asked, plain, 0) > 5000
    found = ordered(asked, 64, 40)
    assert made(asked, found, 40) == 398

    def padded(order: Sequence[Sequence[int]]) -> int:
        return sum(len(batch) * max(asked[i][0] for i in batch) for batch in order)

    assert padded(found) < 1.03 * padded(plain)


@given(st.lists(st.lists(st.integers(0, 9).map(str), max_size=6), max_size=20), st.integers(0, 6))
def test_a_cache_holds_what_was_used_last(calls: list[list[str]], room: int) -> None:
    cache: Recent[int] = Recent(room)
    used: list[str] = []  # the last one was used last
    count = 0
    for names in calls:
        asked: list[str] = []
        found = cache.get(names, lambda missing: (asked.extend(missing), map(int, missing))[1])  # noqa: B023
        assert found == {name: int(name) for name in names}
        kept = used[max(0, len(used) - room) :] if room else []
        assert asked == [name for name in dict.fromkeys(names) if name not in kept]
        used = [name for name in used if name not in names] + list(dict.fromkeys(names))
        count += len(asked)
        assert cache.made == count
