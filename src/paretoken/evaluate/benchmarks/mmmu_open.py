"""MMMU's parsing of answers to open questions: numbers, and texts after words such as "is"."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: The answer follows one of these; in the last line, it may also follow an equals sign.
INDICATORS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
TRIVIAL = frozenset(":,.!?;'")
#: `(?<!\d)` and `++` avoid quadratic time for thousands of digits: no match starts within a number.
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),  # 1,234,567
    re.compile(r"-?(?<!\d)\d++(?:\.\d++)?+[eE][+-]?\d++"),  # 1.5e-3
    # 12, 1.5, .5
    re.compile(r"-?(?:(?<!\d)\d++\.\d++|\.\d++|(?<!\d)\d++\b)(?![eE][+-]?\d)(?![,\d])"),
)


def is_right(response: str, accepted: Sequence[str]) -> bool:
    """Return whether one of the candidates in a response is an accepted answer.

    A number is correct if it equals an accepted one to two decimals, a text if it contains one.
    """
    right = [form for answer in accepted for form in forms(answer)]
    texts = list(dict.fromkeys(form for form in right if isinstance(form, str)))
    numbers = {form for form in right if isinstance(form, float)}
    for candidate in candidates(response):
        for form in forms(candidate):
            if isinstance(form, float) and form in numbers:
                return True
            if isinstance(form, str) and any(text in form for text in texts):
                return True
    return False


def candidates(response: str) -> list[str]:
    """Return candidates for the answer in a response: tails of its lines, and numbers in them."""
    tails = _tails(response)
    return tails + [number for tail in tails for part in _NUMBERS for number in part.findall(tail)]


def _tails(response: str) -> list[str]:
    whole = response.strip().strip(".").lower()
    lines = whole.split("\n")
    found = []
    for number, line in enumerate(lines, start=1):
        indicators = (*INDICATORS, "=") if number == len(lines) else INDICATORS
        tails = [line.split(indicator)[-1].strip() for indicator in indicators if indicator in line]
        # The shortest non-empty tail counts; an empty one only if there is no other.
        shortest = ""
        for tail in tails:
            if not shortest or len(tail) < len(shortest):
                shortest = tail
        if shortest and shortest not in TRIVIAL:
            found.append(shortest)
    return found or [whole]


def forms(answer: str) -> list[str] | list[float]:
    """Return the forms in which an answer is compared: one number, or texts.

    A text of one letter must adjoin a blank, because it would otherwise match everywhere.
    """
    answer = answer.strip()
    try:
        return [round(float(answer.replace(",", "")), 2)]
    except ValueError:
        answer = answer.lower()
    return [f" {answer}", f"{answer} "] if len(answer) == 1 else [answer]
