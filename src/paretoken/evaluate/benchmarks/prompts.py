"""The pieces that prompts of several benchmarks share (those of LLaVA-1.5 and lmms-eval)."""

from __future__ import annotations

from collections.abc import Sequence

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Row
from paretoken.evaluate.benchmarks.values import MOST_TEXTS, question

SHORT = "\nAnswer the question using a single word or phrase."
LETTER = "\nAnswer with the option's letter from the given choices directly."


def short_prompt(row: Row) -> str:
    """Return a row's question with the wish for a short answer."""
    return question(row) + SHORT


def letters(count: int) -> list[str]:
    """Return the first letters of the alphabet, in capitals.

    Raises:
        BadRowError: a row has more than `MOST_TEXTS` options.
    """
    if count > MOST_TEXTS:
        raise BadRowError(f"it has {count:,} options; at most {MOST_TEXTS:,} are asked")
    return [chr(ord("A") + number) for number in range(count)]


def option_lines(options: Sequence[str]) -> str:
    """Return options as lines ``A. first``."""
    pairs = zip(letters(len(options)), options, strict=True)
    return "\n".join(f"{letter}. {option}" for letter, option in pairs)
