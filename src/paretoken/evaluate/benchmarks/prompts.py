"""Parts of prompts that several benchmarks share, from LLaVA-1.5 and lmms-eval."""

from __future__ import annotations

from collections.abc import Sequence

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Row
from paretoken.evaluate.benchmarks.values import MOST_TEXTS, question

SHORT = "\nAnswer the question using a single word or phrase."
LETTER = "\nAnswer with the option's letter from the given choices directly."


def short_prompt(row: Row) -> str:
    """Return a row's question with the request for a short answer."""
    return question(row) + SHORT


def letters(count: int) -> list[str]:
    """Return the first capital letters of the alphabet, one per option.

    Raises:
        BadRowError: there are more than `MOST_TEXTS` options.
    """
    if count > MOST_TEXTS:
        raise BadRowError(f"it has {count:,} options; at most {MOST_TEXTS:,} are allowed")
    return [chr(ord("A") + number) for number in range(count)]


def option_lines(options: Sequence[str]) -> str:
    """Return options as lines such as ``A. first``."""
    pairs = zip(letters(len(options)), options, strict=True)
    return "\n".join(f"{letter}. {option}" for letter, option in pairs)
