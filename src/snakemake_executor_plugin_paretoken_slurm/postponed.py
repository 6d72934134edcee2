"""Jobs that SLURM does not accept at the moment, which are submitted again after growing pauses."""

from __future__ import annotations

import threading
import time
from typing import Any

#: Factor by which each pause is longer than the one before, and the longest in multiples of the first.
GROWTH, LONGEST = 2.0, 15.0
#: Postponements after which pauses are the longest; larger powers could overflow.
MANY = 10.0


class Postponed:
    """Snakemake's jobs that are to be submitted later.

    Args:
        first_s: length of the first pause, in seconds.
    """

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._lock = threading.Lock()
        self._refused: dict[str, int] = {}
        self._lost: set[str] = set()
        self._waiting: list[tuple[float, Any]] = []

    def add(self, job: Any, mark: str, lost: bool = False) -> float:
        """Postpone a job; return for how many seconds.

        Args:
            job: Snakemake's job.
            mark: its mark, by which it is recognised when it is rejected again.
            lost: whether SLURM may have accepted it although the answer was lost.
        """
        with self._lock:
            times = self._refused.get(mark, 0)
            self._refused[mark] = times + 1
            if lost:
                self._lost.add(mark)
            pause: float = self._first_s * min(GROWTH ** min(times, MANY), LONGEST)
            self._waiting.append((time.monotonic() + pause, job))
            return pause

    def times(self, mark: str) -> int:
        """Return how often a job was postponed since it was last accepted."""
        return self._refused.get(mark, 0)

    def may_be_there(self, mark: str) -> bool:
        """Whether SLURM may have a job although it was postponed."""
        return mark in self._lost

    def accepted(self, mark: str) -> None:
        """Forget that a job was rejected: its next pause is short again."""
        with self._lock:
            self._refused.pop(mark, None)
            self._lost.discard(mark)

    def due(self, ended: int = 0) -> list[Any]:
        """Return the jobs whose pause is over, each once, the longest postponed first.

        Args:
            ended: number of jobs that have ended and made room: so many others are returned before their
                pause is over.
        """
        with self._lock:
            now = time.monotonic()
            over = [pair for pair in self._waiting if pair[0] <= now]
            others = [pair for pair in self._waiting if pair[0] > now]
            self._waiting = others[ended:]
            return [job for _, job in [*over, *others[:ended]]]
