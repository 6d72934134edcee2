"""The Levenshtein edit distance."""

from __future__ import annotations

from collections.abc import Sequence


def edit_distance(first: str, second: str) -> int:
    """Return the fewest insertions, deletions and substitutions that turn one text into the other."""
    if first == second:
        return 0
    short, long = sorted((first, second), key=len)
    return edit_distances(long, [short])[0]


def edit_distances(text: str, words: Sequence[str]) -> list[int]:
    """Return the edit distance of a text to each of some words.

    A column of the dynamic-programming tables is held in two integers with a bit per character of each
    word: where the column rises by one, and where it falls. A bit that stays 0 separates words, so that
    carries do not cross them. Each character of the text takes a few operations on integers for all
    words together, so that texts of many thousands of characters are fast. Source: Myers, "A fast
    bit-vector algorithm for approximate string matching", 1999, doi:10.1145/316542.316550, as in Hyyrö,
    "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", 2003.
    """
    places: dict[str, int] = {}
    every = firsts = start = 0
    for word in words:
        firsts |= bool(word) << start
        every |= (1 << len(word)) - 1 << start
        for place, character in enumerate(word, start):
            places[character] = places.get(character, 0) | 1 << place
        start += len(word) + 1
    rises, falls = every, 0
    for character in text:
        equal = places.get(character, 0)
        same = ((equal & rises) + rises ^ rises) | equal
        right_rises, right_falls = falls | every & ~(same | rises), rises & same
        right_rises, right_falls = (right_rises << 1 | firsts) & every, right_falls << 1 & every
        down = equal | falls
        rises, falls = right_falls | every & ~(down | right_rises), right_rises & down
    found, start = [], 0
    for word in words:
        bits = (1 << len(word)) - 1
        risen, fallen = (each >> start & bits for each in (rises, falls))
        found.append(len(text) + risen.bit_count() - fallen.bit_count())
        start += len(word) + 1
    return found
