"""Batches, answer lengths and stop texts of lmms-eval's requests, without importing lmms-eval."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

#: Default for the most tokens of an answer, also that of lmms-eval's own models.
MAX_NEW_TOKENS = 1024


def batches(asked: Sequence[tuple[str, Mapping[str, Any]]], size: int) -> Iterator[list[int]]:
    """Yield batches of indices of requests with equal settings and similar lengths.

    Args:
        asked: text and generation settings of each request.
        size: most requests of a batch.
    """
    settings = [json.dumps(each, sort_keys=True, default=str) for _, each in asked]
    order = sorted(range(len(asked)), key=lambda i: (settings[i], len(asked[i][0]), i))
    for _, group in groupby(order, key=lambda i: settings[i]):
        numbers = list(group)
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size]


def generation(settings: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return the most tokens of an answer, and the texts that end it.

    Sampling and beam search of a task are ignored: answers are greedy.
    """
    longest = settings.get("max_new_tokens") or settings.get("max_gen_toks") or MAX_NEW_TOKENS
    until = settings.get("until") or []
    return int(longest), [until] if isinstance(until, str) else [text for text in until if text]


def cut(answer: str, until: Sequence[str]) -> str:
    """Return an answer up to the first of the texts that end it."""
    ends = [answer.find(text) for text in until if text in answer]
    return answer[: min(ends, default=len(answer))].strip()
