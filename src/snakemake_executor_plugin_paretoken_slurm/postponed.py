"""Jobs that SLURM does not take at the moment: submitted again, after pauses that grow."""

from __future__ import annotations

import threading
import time
from typing import Any

#: Each pause is this much longer than the one before, up to so many times the first.
GROWTH, LONGEST = 2.0, 15.0


class Postponed:
    """Jobs of Snakemake's to be submitted later.

    Args:
        first_s: seconds of the first pause.
    """

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._lock = threading.Lock()
        self._refused: dict[str, int] = {}
        self._waiting: list[tuple[float, Any]] = []

    def add(self, job: Any, mark: str) -> float:
        """Postpone a job; return for how many seconds.

        Args:
            job: of Snakemake.
            mark: by which it is recognised when it is refused again.
        """
        with self._lock:
            times = self._refused.get(mark, 0)
            self._refused[mark] = times + 1
            pause = self._first_s * min(GROWTH**times, LONGEST)
            self._waiting.append((time.monotonic() + pause, job))
            return pause

    def was_refused(self, mark: str) -> bool:
        """Whether a job was postponed since it was last accepted."""
        return mark in self._refused

    def accepted(self, mark: str) -> None:
        """Forget that a job was refused: its next pause is short again."""
        with self._lock:
            self._refused.pop(mark, None)

    def due(self, all_of_them: bool = False) -> list[Any]:
        """Return the jobs whose pause is over, each once.

        Args:
            all_of_them: do not wait for the others either: a job has ended, and made room.
        """
        with self._lock:
            now = time.monotonic()
            due = [job for when, job in self._waiting if all_of_them or when <= now]
            self._waiting = [] if all_of_them else [pair for pair in self._waiting if pair[0] > now]
            return due
