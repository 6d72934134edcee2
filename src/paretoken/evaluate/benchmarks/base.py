"""What a benchmark is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Benchmark:
    """How answers are scored.

    Attributes:
        name: its registered name.
        metric: what the score is called.
        score: from a prediction and the accepted answers to a number from 0 to 1.
        source: where the rule comes from.
    """

    name: str
    metric: str
    score: Callable[[str, Sequence[str]], float]
    source: str
