"""Exact match that ignores case and ASCII punctuation, like lmms-eval's `exact_match`."""

from __future__ import annotations

import string

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def same_text(prediction: str, answer: str) -> bool:
    """Return whether two texts are equal, ignoring case and ASCII punctuation but not blanks."""
    return _plain(prediction) == _plain(answer)


def _plain(text: str) -> str:
    return text.lower().translate(_NO_PUNCTUATION)
