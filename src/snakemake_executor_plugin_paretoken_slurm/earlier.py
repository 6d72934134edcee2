"""Jobs that SLURM still has of an earlier start in the same folder, whose driver died."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from paretoken.slurm.freeze import LAUNCHES, belongs_to
from paretoken.slurm.job_names import covers, digest, is_mark, outputs_of, share_outputs
from paretoken.slurm.queue import HELD, Queued, ask_accounts, ask_queue, cancel, fate_of, state_of
from paretoken.slurm.submitted import Submitted, read_submissions
from snakemake_executor_plugin_paretoken_slurm.jobs import mark_of

#: A time before Snakemake checks which results exist: this module is imported at its start.
STARTED = datetime.now().replace(microsecond=0)
#: Seconds to wait for accounting if squeue does not show all submitted jobs.
ACCOUNTS_S = 120.0


class Earlier:
    """Jobs of a folder that SLURM already has; the stock executor would run them twice at the same time.

    Args:
        project: the folder.
        clusters: the cluster to query, on sites with several.
        poll_s: seconds between queries while SLURM does not answer.
        closing: set when the run ends, and answers are not needed any more.
        executor: the executor, whose own jobs do not count.
    """

    def __init__(
        self,
        project: Path,
        clusters: str | None,
        poll_s: float,
        closing: threading.Event,
        executor: Any,
    ) -> None:
        self._project, self._clusters, self._poll_s = project, clusters, poll_s
        self._closing, self._executor, self._logger = closing, executor, executor.logger
        self.jobs: list[Queued] = []
        self._lock = threading.Lock()  # two threads submit
        self._missing: list[Submitted] = []  # that neither squeue nor accounting shows
        self._unclear: list[Path] = []  # launch folders whose jobs may be alive: no answer of accounting

    @property
    def alive(self) -> list[Queued]:
        """The jobs that wait or run."""
        return [job for job in self.jobs if job.fate == "alive"]

    @property
    def used(self) -> list[Path]:
        """Working directories in which jobs are, or may be."""
        return [*(job.folder for job in self.alive), *self._unclear]

    def ask(self) -> None:
        """Query SLURM until it answers: without the answer, jobs might be submitted twice.

        Raises:
            WorkflowError: squeue rejects the query, and waiting would not help.
        """
        said = ""
        while not self._closing.is_set():
            queue, answer = ask_queue(self._clusters)
            if queue is not None:
                mine = [job for job in queue if belongs_to(job.folder, self._project)]
                shown = {job.number for job in queue}
                mine += self._known_to_accounts(shown)
                with self._lock:
                    self.jobs = mine
                return
            if not answer.temporary:
                raise WorkflowError(f"SLURM's queue cannot be queried: {answer.complaint}")
            if answer.complaint != said:
                self._logger.warning(f"Waiting for SLURM to answer: {answer.complaint}")
            said = answer.complaint
            self._closing.wait(self._poll_s)

    def _known_to_accounts(self, shown: Collection[str]) -> list[Queued]:
        """Return jobs of earlier starts that squeue does not show and accounting lists as alive."""
        known = {*shown, *self._executor.own}
        submitted = read_submissions(self._project / LAUNCHES)
        missing = {job.number: job for job in submitted if job.number not in known}
        if not missing:
            self._unclear, self._missing = [], []
            return []
        end, states = time.monotonic() + ACCOUNTS_S, ask_accounts(list(missing), self._clusters)
        while states is None and time.monotonic() < end and not self._closing.is_set():
            self._logger.warning("Waiting for accounting to answer sacct about jobs of an earlier start")
            self._closing.wait(self._poll_s)
            states = ask_accounts(list(missing), self._clusters)
        self._unclear = [job.launch for job in missing.values()] if states is None else []
        states = states or {}
        self._missing = [job for number, job in missing.items() if number not in states]
        return [
            Queued(number, state, None, job.launch, job.mark, "None", job.name)
            for number, job in missing.items()
            if (state := states.get(number)) is not None and fate_of(state) == "alive"
        ]

    def confirm(self, outputs: Iterable[str]) -> None:
        """Query each job that squeue and accounting do not show and whose results are missing.

        squeue may fail to show jobs that exist.

        Args:
            outputs: paths of the results that this run would make.
        """
        wanted = {digest([path]) for path in outputs} if self._missing else set()
        for job in self._missing:
            if not outputs_of(job.mark).isdisjoint(wanted):
                state = state_of(job.number, self._clusters)
                if state is not None and fate_of(state) == "alive":
                    known = Queued(job.number, state, None, job.launch, job.mark, "None", job.name)
                    self.jobs.append(known)

    def report(self) -> None:
        """Log the jobs that are alive; cancel held ones, which only a person could release."""
        held = [job.number for job in self.jobs if job.state == HELD and is_mark(job.mark)]
        if held:
            cancel(held, self._clusters)
        for job in self.alive:
            self._logger.info(
                f"SLURM still has job {job.number} of this folder ({job.name}, {job.state.lower()}): "
                "if this run needs it, it is followed and not submitted again."
            )

    def take(self, job: Any) -> Queued | None:
        """Return the SLURM job, if any, that writes results of a job of Snakemake's; each only once.

        If its mark differs, it writes them from other inputs or with other settings.
        """
        own = mark_of(job)
        with self._lock:
            for queued in self.jobs:
                if queued.number in self._executor.own:
                    continue
                ended_since = queued.fate == "done" and queued.end is not None and queued.end >= STARTED
                writes = queued.fate == "alive" and share_outputs(queued.mark, own)
                if writes or (ended_since and covers(queued.mark, own)):
                    self.jobs.remove(queued)  # if it fails, the next attempt is a new job
                    return queued
        return None
