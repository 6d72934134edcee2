"""The order in which questions are answered: little padding, and each picture in few places."""

from __future__ import annotations

from collections.abc import Sequence

from paretoken.evaluate.recent import Recent


def batches(
    lengths: Sequence[int], pictures: Sequence[Sequence[str]], size: int, room: int
) -> list[list[int]]:
    """Return the questions of each batch, by index.

    Questions are sorted by the length of their prompts, so that a batch has little padding. If this
    needs a picture again after it left the cache, the questions are cut into parts whose pictures fit
    the cache, and sorted within each part. Each picture is then in a single part, unless questions show
    several. The order that makes fewer pictures is taken.

    Args:
        lengths: tokens of each prompt.
        pictures: names of the pictures of each question.
        size: questions of a batch.
        room: pictures that the cache keeps between batches; 0: their order does not matter.
    """

    def cut(order: Sequence[int]) -> list[list[int]]:
        return [list(order[start : start + size]) for start in range(0, len(order), size)]

    by_length = sorted(range(len(lengths)), key=lambda i: (lengths[i], pictures[i][:1], i))
    plain = cut(by_length)
    everything = len({name for names in pictures for name in names})
    if room == 0 or made_pictures(plain, pictures, room) == everything:
        return plain
    parted = cut(_in_parts(by_length, pictures, room))
    return min(plain, parted, key=lambda order: made_pictures(order, pictures, room))


def made_pictures(order: Sequence[Sequence[int]], pictures: Sequence[Sequence[str]], room: int) -> int:
    """Return how often a picture is made if batches of questions are answered in this order."""
    cache: Recent[str] = Recent(room)
    for batch in order:
        cache.get((name for number in batch for name in pictures[number]), list)
    return cache.made


def _in_parts(by_length: Sequence[int], pictures: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the questions in parts, each with at most ``room`` pictures if no question has more.

    Every other part begins with its longest prompts: a batch across two parts is then of similar ones.
    """
    groups: dict[tuple[str, ...], list[int]] = {}  # in the order of their shortest prompts
    for number in by_length:
        groups.setdefault(tuple(sorted(set(pictures[number]))), []).append(number)
    parts: list[list[int]] = [[]]
    shown: set[str] = set()
    for names, questions in groups.items():
        if shown and len(shown) + sum(name not in shown for name in names) > room:
            parts.append([])
            shown = set()
        shown.update(names)
        parts[-1] += questions
    place = {number: rank for rank, number in enumerate(by_length)}
    order: list[int] = []
    for count, part in enumerate(parts):
        order += sorted(part, key=place.__getitem__, reverse=count % 2 == 1)
    return order
