"""What SLURM still has of an earlier start in the same folder, whose driver died."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from paretoken.cluster.freeze import belongs_to
from paretoken.cluster.names import makes_the_same
from paretoken.cluster.queue import HELD, Queued, ask_queue, cancel
from snakemake_executor_plugin_paretoken_slurm.jobs import mark_of

#: Before Snakemake decides which results are there: this module is imported at its start.
STARTED = datetime.now().replace(microsecond=0)


class Earlier:
    """Jobs of a folder that SLURM knows already; the stock executor would run them twice at a time.

    Args:
        project: the folder.
        poll_s: seconds between questions while SLURM does not answer.
        closing: set when nobody waits for an answer any more.
        logger: of Snakemake.
    """

    def __init__(self, project: Path, poll_s: float, closing: threading.Event, logger: Any) -> None:
        self._project, self._poll_s, self._closing, self._logger = project, poll_s, closing, logger
        self.jobs: list[Queued] = []

    @property
    def alive(self) -> list[Queued]:
        """Those that wait or run."""
        return [job for job in self.jobs if job.fate == "alive"]

    def ask(self) -> None:
        """Ask SLURM, until it answers: without the answer, jobs might be submitted twice."""
        said = False
        while (queue := ask_queue()) is None and not self._closing.is_set():
            if not said:
                self._logger.warning("SLURM does not answer squeue; waiting until it does.")
            said = True
            self._closing.wait(self._poll_s)
        self.jobs = [job for job in queue or [] if belongs_to(job.folder, self._project)]

    def report(self) -> None:
        """Say what is alive; cancel what only a person could let go on."""
        for job in self.jobs:
            if job.state == HELD:
                cancel(job.number)
        for job in self.alive:
            self._logger.info(
                f"SLURM still has job {job.number} of this folder ({job.name}, {job.state.lower()}): "
                "if this run needs it, it is followed and not submitted again."
            )

    def take(self, job: Any) -> Queued | None:
        """Return the SLURM job, if any, that writes what a job of Snakemake's would write; each once.

        If its mark is another, it does so from other inputs or with other settings.
        """
        own = mark_of(job)
        for queued in list(self.jobs):  # two threads submit
            ended_since = queued.fate == "done" and queued.end is not None and queued.end >= STARTED
            writes = queued.fate == "alive" and makes_the_same(queued.mark, own)
            if writes or (ended_since and queued.mark == own):
                self.jobs.remove(queued)  # if it fails, the next attempt is a new job
                return queued
        return None
