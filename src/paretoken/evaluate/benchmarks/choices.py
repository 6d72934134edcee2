"""Inferring the option that an answer means.

`infer_choice` parses free text like VLMEvalKit's `can_infer` without a language model as judge
(vlmeval/utils/matching_util.py at e8e78f05).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Row
from paretoken.evaluate.benchmarks.prompts import letters
from paretoken.evaluate.benchmarks.values import require_texts, whole

#: An answer that contains one of these is a refusal; it is parsed as `REFUSED`, which is never correct.
REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
REFUSED = "Z"
API_FAILURE = "Failed to obtain answer via API"
_AS_BLANKS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_ANSWER_IS = re.compile(r"(?:correct\s+)?answer\s+is\s+\**([ABCD])\**", re.IGNORECASE)


def letter_of(row: Row, options: str) -> str:
    """Return the letter of the correct option, whose index from 0 is ``answer``.

    Raises:
        BadRowError: the row does not have the option.
    """
    number, count = whole(row, "answer"), len(require_texts(row, options))
    if not 0 <= number < count:
        raise BadRowError(f"its answer is {number}; with {count} {options}, it must be 0 to {count - 1}")
    return letters(count)[number]


def infer_choice(answer: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the option that an answer means.

    Args:
        answer: the model's answer.
        options: texts of the options by letter.

    Returns:
        A letter of ``options``, ``Z`` for a refusal, or None if the answer cannot be parsed.
    """
    return _by_letter(answer, options) or _by_text(answer, options)


def _by_letter(answer: str, options: Mapping[str, str]) -> str | None:
    if API_FAILURE in answer:
        return None
    if any(refusal in answer for refusal in REFUSALS):
        return REFUSED
    words = answer.translate(_AS_BLANKS).split()
    said = set(words)
    named = [letter for letter in options if letter in said]
    if len(named) == 1 and words.index(named[0]) > len(words) - 5:
        return named[0]
    if not named and REFUSED in words:
        return REFUSED
    found = _ANSWER_IS.search(answer)
    if found and found.group(1).upper() in options:
        return found.group(1).upper()
    return None


def _by_text(answer: str, options: Mapping[str, str]) -> str | None:
    lowered = answer.lower()
    if len(lowered) > 2 * sum(len(option) for option in options.values()):
        return None
    found = [letter for letter, option in options.items() if option.lower() in lowered]
    return found[0] if len(found) == 1 else None
