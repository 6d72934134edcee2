"""What is said about jobs that wait: none waits without a word, and none for ever."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from paretoken.cluster.limits import limit_in_words
from paretoken.cluster.queue import Queued
from paretoken.cluster.reasons import limit_of
from paretoken.cluster.site import Site

#: SLURM has not looked at the job yet.
NOT_YET = ("", "None")


class Waiting:
    """What was said of which jobs already."""

    def __init__(self, site: Site, logger: Any) -> None:
        self._clusters, self._logger = site.clusters, logger
        self._told: set[tuple[str, str]] = set()

    def judge(self, queue: Iterable[Queued]) -> dict[str, str]:
        """Return the jobs that will never run, each with the limit; say once why others wait."""
        hopeless = {}
        for job in queue:
            if job.waits == "never":
                hopeless[job.number] = limit_in_words(job.number, job.reason, self._clusters)
            elif job.waits == "person" and self._first(job.number, job.reason):
                self._logger.warning(
                    f"{job.name} (SLURM job {job.number}) waits for {limit_of(job.reason)}, which time "
                    "alone may not change."
                )
            elif job.waits == "later" and job.reason not in NOT_YET and self._first("", job.reason):
                self._logger.info(
                    f"{job.name} (SLURM job {job.number}) waits for {limit_of(job.reason)}; others may, "
                    "too."
                )
        return hopeless

    def _first(self, number: str, reason: str) -> bool:
        told = (number, reason.partition(",")[0])  # names of nodes may follow
        new = told not in self._told
        self._told.add(told)
        return new
