"""Exact match that ignores case and ASCII punctuation, as lmms-eval's `exact_match` does."""

from __future__ import annotations

import string

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def same_text(prediction: str, answer: str) -> bool:
    """Whether two texts are the same without case and ASCII punctuation; blanks count."""
    return _plain(prediction) == _plain(answer)


def _plain(text: str) -> str:
    return text.lower().translate(_NO_PUNCTUATION)
