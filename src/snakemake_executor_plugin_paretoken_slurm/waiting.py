"""Reporting why jobs wait, and detecting those that would wait forever."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from paretoken.slurm.queue import Queued
from paretoken.slurm.reasons import limit_of
from paretoken.slurm.site import Site
from paretoken.slurm.site_limits import limit_in_words

#: Reasons of jobs that SLURM has not considered yet.
NOT_YET = ("", "None")
#: Consecutive answers in which a job must have a permanent reason: SLURM may withdraw it.
TIMES = 3


class Waiting:
    """Checks the reasons of waiting jobs in each answer, and reports each reason once."""

    def __init__(self, site: Site, logger: Any) -> None:
        self._clusters, self._logger = site.clusters, logger
        self._reported: set[tuple[str, str]] = set()
        self._never: dict[tuple[str, str], int] = {}

    def judge(self, queue: Iterable[Queued]) -> dict[str, str]:
        """Return the jobs that will never run, each with the limit; log once why others wait."""
        hopeless, seen = {}, {}
        for job in queue:
            if job.waits == "never":
                found = job.number, job.reason
                seen[found] = self._never.get(found, 0) + 1
                if seen[found] >= TIMES:
                    hopeless[job.number] = limit_in_words(job.number, job.reason, self._clusters)
            elif job.waits == "person" and self._first(job.number, job.reason):
                self._logger.warning(
                    f"{job.name} (SLURM job {job.number}) waits for {limit_of(job.reason)}, which time "
                    "alone may not change."
                )
            elif job.waits == "later" and job.reason not in NOT_YET and self._first("", job.reason):
                self._logger.info(
                    f"{job.name} (SLURM job {job.number}) waits for {limit_of(job.reason)} (reported "
                    "once)."
                )
        self._never = seen
        return hopeless

    def _first(self, number: str, reason: str) -> bool:
        found = (number, reason.partition(",")[0])  # names of nodes may follow
        new = found not in self._reported
        self._reported.add(found)
        return new
