"""Levenshtein's edit distance."""

from __future__ import annotations


def edit_distance(first: str, second: str) -> int:
    """Return how many characters must be inserted, deleted or replaced to turn one into the other."""
    if first == second:
        return 0
    if len(first) > len(second):
        first, second = second, first
    above = list(range(len(first) + 1))
    for row, there in enumerate(second, start=1):
        left, line = row, [row]
        for column, here in enumerate(first):
            left = above[column] if here == there else 1 + min(above[column], above[column + 1], left)
            line.append(left)
        above = line
    return above[-1]
