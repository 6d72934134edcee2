"""MMMU's reading of answers to multiple-choice questions, without its random guesses."""

from __future__ import annotations

from collections.abc import Sequence

from paretoken.evaluate.benchmarks.prompts import letters

#: Stripped from both ends, one after the other, in this order.
MARKS = ",.!?;:'"
#: Only longer answers are searched for the texts of options, in words.
SHORTEST_SENTENCE = 6


def read_choice(response: str, options: Sequence[str]) -> str | None:
    """Return the letter that a response means; None where the official tool would draw one.

    Letters in brackets count before bare ones, and these before the texts of options. Of several
    options the one that is named last counts.
    """
    for mark in MARKS:
        response = response.strip(mark)
    padded = f" {response} "
    texts = dict(zip(letters(len(options)), (option.lower() for option in options), strict=True))
    return (
        _last(padded, {letter: f"({letter})" for letter in texts})
        or _last(padded, {letter: f" {letter} " for letter in texts})
        or (_last(padded.lower(), texts) if len(padded.split()) >= SHORTEST_SENTENCE else None)
    )


def _last(text: str, signs: dict[str, str]) -> str | None:
    """Return the letter whose sign stands last in the text, the first of equals.

    The text is searched backwards by `find`: `rfind` takes the product of both lengths.
    """
    backwards, places = text[::-1], dict[str, int]()
    for letter, sign in signs.items():
        found = backwards.find(sign[::-1])
        if found >= 0:
            places[letter] = len(text) - found - len(sign)
    return max(places, key=places.__getitem__) if places else None
