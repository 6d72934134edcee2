"""Levenshtein's edit distance."""

from __future__ import annotations


def edit_distance(first: str, second: str) -> int:
    """Return how many characters must be inserted, deleted or replaced to turn one into the other.

    A column of the usual table is held in two whole numbers, which have a bit per character of the
    shorter text: where the column rises by one, and where it falls. A character of the longer text
    then takes a few operations on whole numbers, so that texts of thousands of characters take
    moments. Source: Myers 1999, doi:10.1145/316542.316550, as in Hyyrö 2003.
    """
    short, long = sorted((first, second), key=len)
    if not short or first == second:
        return len(long) if not short else 0
    places: dict[str, int] = {}
    for place, character in enumerate(short):
        places[character] = places.get(character, 0) | 1 << place
    every, last = (1 << len(short)) - 1, 1 << (len(short) - 1)
    rises, falls, distance = every, 0, len(short)
    for character in long:
        equal = places.get(character, 0)
        same = ((equal & rises) + rises ^ rises) | equal
        right_rises, right_falls = falls | every & ~(same | rises), rises & same
        distance += bool(right_rises & last) - bool(right_falls & last)
        right_rises, right_falls = (right_rises << 1 | 1) & every, right_falls << 1 & every
        down = equal | falls
        rises, falls = right_falls | every & ~(down | right_rises), right_rises & down
    return distance
