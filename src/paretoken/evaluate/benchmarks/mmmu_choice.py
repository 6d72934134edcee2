"""MMMU's parsing of answers to multiple-choice questions, without its random guesses."""

from __future__ import annotations

from collections.abc import Sequence

from paretoken.evaluate.benchmarks.prompts import letters

#: Marks that are stripped from both ends, one after the other in this order.
MARKS = ",.!?;:'"
#: Fewest words of an answer that is searched for the texts of options.
SHORTEST_SENTENCE = 6


def read_choice(response: str, options: Sequence[str]) -> str | None:
    """Return the letter that a response means; None if the official tool would guess.

    Letters in brackets take precedence over bare ones, and these over the texts of options. If there are
    several, the last one in the response counts.
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
    """Return the letter whose sign is last in the text; of equals, the first letter.

    The reversed text is searched by `find`, because `rfind` takes time in the product of both lengths.
    """
    backwards, places = text[::-1], dict[str, int]()
    for letter, sign in signs.items():
        found = backwards.find(sign[::-1])
        if found >= 0:
            places[letter] = len(text) - found - len(sign)
    return max(places, key=places.__getitem__) if places else None
