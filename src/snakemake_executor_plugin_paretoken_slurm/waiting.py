"""What is said about jobs that wait: none waits without a word, and none for ever."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from paretoken.slurm.queue import Queued
from paretoken.slurm.reasons import limit_of
from paretoken.slurm.site import Site
from paretoken.slurm.site_limits import limit_in_words

#: SLURM has not looked at the job yet.
NOT_YET = ("", "None")
#: In so many answers in a row a job must have a reason that no time changes: SLURM may take it back.
TIMES = 3


class Waiting:
    """Looks at the reasons of jobs, answer by answer; remembers what was said already."""

    def __init__(self, site: Site, logger: Any) -> None:
        self._clusters, self._logger = site.clusters, logger
        self._told: set[tuple[str, str]] = set()
        self._never: dict[tuple[str, str], int] = {}

    def judge(self, queue: Iterable[Queued]) -> dict[str, str]:
        """Return the jobs that will never run, each with the limit; say once why others wait."""
        hopeless, seen = {}, {}
        for job in queue:
            if job.waits == "never":
                told = job.number, job.reason
                seen[told] = self._never.get(told, 0) + 1
                if seen[told] >= TIMES:
                    hopeless[job.number] = limit_in_words(job.number, job.reason, self._clusters)
            elif job.waits == "person" and self._first(job.number, job.reason):
                self._logger.warning(
                    f"{job.name} (SLURM job {job.number}) waits for {limit_of(job.reason)}, which time "
                    "alone may not change."
                )
            elif job.waits == "later" and job.reason not in NOT_YET and self._first("", job.reason):
                self._logger.info(
                    f"{job.name} (SLURM job {job.number}) waits for {limit_of(job.reason)} (said once)."
                )
        self._never = seen
        return hopeless

    def _first(self, number: str, reason: str) -> bool:
        told = (number, reason.partition(",")[0])  # names of nodes may follow
        new = told not in self._told
        self._told.add(told)
        return new
