"""Which option an answer means.

`infer_choice` reads free text as VLMEvalKit's `can_infer` does when it has no language model to ask
(vlmeval/utils/matching_util.py at e8e78f05).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Row
from paretoken.evaluate.benchmarks.prompts import letters
from paretoken.evaluate.benchmarks.values import require_texts, whole

#: An answer that contains one of these refuses; it is read as `REFUSED`, which is never right.
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
    """Return the letter of the right option, where ``answer`` is its number from 0.

    Raises:
        BadRowError: there is no such option.
    """
    number, count = whole(row, "answer"), len(require_texts(row, options))
    if not 0 <= number < count:
        raise BadRowError(f"its answer is {number}, but it has {count} {options}")
    return letters(count)[number]


def infer_choice(answer: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the option that an answer means.

    Args:
        answer: what the model said.
        options: the texts of the options by letter.

    Returns:
        A letter of ``options``, ``Z`` for a refusal, None if the answer cannot be read.
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
