"""The stock SLURM executor, with fixes for failures that its options cannot prevent.

Each method says which failure of snakemake-executor-plugin-slurm 2.8.0 it fixes; tests/cluster has tests
of them. Code that does not need Snakemake's own objects is in `paretoken.slurm`.
"""

import asyncio
import os
import shlex
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_slurm import Executor as StockExecutor
from snakemake_executor_plugin_slurm import common_settings
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from paretoken.errors import UserError
from paretoken.io.escape import message
from paretoken.slurm.freeze import in_launch
from paretoken.slurm.job_names import outputs_of
from paretoken.slurm.programs import clean, in_job, requests_of
from paretoken.slurm.queue import Queued, ask_accounts, ask_queue, cancel
from paretoken.slurm.site import Site, read_site
from snakemake_executor_plugin_paretoken_slurm.cancelling import cancel_all, interrupts_noted
from snakemake_executor_plugin_paretoken_slurm.earlier import Earlier
from snakemake_executor_plugin_paretoken_slurm.following import check_job, give_up
from snakemake_executor_plugin_paretoken_slurm.jobs import label_of, mark_of
from snakemake_executor_plugin_paretoken_slurm.postponed import Postponed
from snakemake_executor_plugin_paretoken_slurm.quoting import quote_for_shells
from snakemake_executor_plugin_paretoken_slurm.settings import ExecutorSettings
from snakemake_executor_plugin_paretoken_slurm.silence import Silence
from snakemake_executor_plugin_paretoken_slurm.start import freeze_launch, refuse_impossible
from snakemake_executor_plugin_paretoken_slurm.submission import (
    sbatch_line,
    submit_or_follow,
)
from snakemake_executor_plugin_paretoken_slurm.waiting import Waiting

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

#: Seconds between two checks whether the run is being cancelled.
LOOK_S = 0.2


class Executor(StockExecutor):  # type: ignore[misc]  # untyped
    """An executor that follows jobs with squeue, and loses none."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        """Remove variables that change the meaning of SLURM's commands, also for jobs.

        The stock executor removes only the variables of an outer job, and `sbatch` exports all others.
        """
        inside = in_job(os.environ)
        meant = requests_of(clean(os.environ), inside)
        if meant:
            logger.warning(
                f"Ignored variables of the environment: {', '.join(meant)}. Requests of jobs are set in "
                "the site's file."
            )
        # Set here, since a thread of the stock executor checks jobs before `__post_init__` has ended.
        self._poll: int = workflow.executor_settings.poll_seconds
        self.closing = threading.Event()
        self.postponed = Postponed(self._poll)
        self._silence = Silence(logger)
        self.taken: dict[str, int] = {}
        self.own: dict[str, str] = {}  # all that were submitted or followed: names by numbers
        self.open: dict[str, str] = {}  # those of them that have not ended
        self._surplus: set[str] = set()
        quote_for_shells()
        super().__init__(workflow, logger)

    def __post_init__(self, test_mode: bool = False) -> None:
        """Read the site, find jobs of earlier starts, check requests, freeze the launch."""
        super().__post_init__(test_mode)
        settings = self.workflow.executor_settings
        self.project = Path(self.workflow.workdir_init)
        try:
            self.site = read_site(settings.site) if settings.site else Site()
            self._prepare(settings)
        except UserError as error:
            raise WorkflowError(message(error)) from error

    def _prepare(self, settings: Any) -> None:
        if settings.array_jobs:
            raise WorkflowError(
                "This executor does not support job arrays: all tasks would get the resources of the "
                "first. Remove paretoken-slurm-array-jobs from the profile and the command line"
            )
        if shutil.which("squeue") is None:
            raise WorkflowError("There is no squeue here: start this on a login node of the cluster")
        self.earlier = Earlier(self.project, self.site.clusters, self._poll, self.closing, self)
        self.earlier.ask()
        jobs = [job for job in self.dag.needrun_jobs() if not job.is_local]
        self.earlier.confirm(str(path) for job in jobs for path in job.output)
        self.earlier.report()
        self._waiting = Waiting(self.site, self.logger)
        refuse_impossible(jobs, self.site, settings.site, lambda job: sbatch_line(self, job))
        # Jobs run a copy; those of the stock executor read the project's files when they start.
        launch = freeze_launch(self.workflow, self.project, self.earlier.used)
        self.launch = launch
        self.snakefile = str(in_launch(Path(self.workflow.main_snakefile), self.project, launch))
        self.logger.info(f"Jobs run a copy of the present config, workflow and code: {launch}")

    # --- submission ---------------------------------------------------------------------------

    def additional_general_args(self) -> str:
        """Start one Snakemake per job, not two; let it keep files if a command fails.

        The stock executor's second Snakemake removes SLURM's variables from the job, which `srun` and
        `torchrun` need, and doubles the time to start. The driver removes the files of a failed job; a
        process that still runs after its node was lost must not, since the files are another job's.
        """
        return "--keep-incomplete"

    def get_account_arg(self, job: Any) -> Iterable[str]:
        """Yield the site's account, or nothing: the stock executor guesses one from sacct."""
        yield f" -A {shlex.quote(self.site.account)}" if self.site.account else ""

    def get_partition_arg(self, job: Any) -> str:
        """Return partition, name, mark and GPUs; of repeated options, sbatch uses the last.

        The stock executor gives all jobs the same random name, and rejects GPU models with hyphens.
        """
        named = f" --job-name {shlex.quote(label_of(job))} --comment {mark_of(job)}"
        gres = job.resources.get("node_gres")
        gpus = f" --gres {shlex.quote(gres)}" if gres else ""
        chosen = job.resources.get("slurm_partition") or self._partitions
        partition = super().get_partition_arg(job) if chosen else ""  # SLURM knows its default itself
        return str(partition) + named + gpus

    def run_job(self, job: Any) -> None:
        """Submit a job, unless SLURM has it already; runs in one of the threads that submit.

        The stock executor would run the jobs of an earlier driver twice at the same time, in the same
        folder. It waits forever for an sbatch that hangs. It counts an attempt as failed when SLURM does
        not answer or accepts no more jobs, so that retries are used up in seconds.
        """
        if self.closing.is_set():
            return
        try:
            submit_or_follow(self, job)
        except Exception as error:  # would be lost in this thread, and Snakemake would wait forever
            self._report_job_error_threadsafe(
                SubmittedJobInfo(job), f"{label_of(job)} was not submitted: {error}. "
            )

    def submit_soon(self, job: Any) -> None:
        """Submit a job in one of the threads that do."""
        if not self.closing.is_set():
            self._job_submission_executor.submit(self.run_job, job)

    # --- job states ----------------------------------------------------------------------------

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncIterator[Any]:
        """Check each job; yield those that are still active.

        The stock executor forgets all jobs after five unanswered queries, waits forever for jobs that
        were preempted for good or (by sacct) cancelled, and counts unknown jobs as done.
        """
        for job in self.postponed.due():
            self.submit_soon(job)
        if not active_jobs:
            self.next_seconds_between_status_checks = 1
            return
        self.next_seconds_between_status_checks = self._poll
        async with self.status_rate_limiter:
            queue, answer = ask_queue(self.site.clusters)
        self._silence.note(answer)  # raises if there never will be an answer
        if queue is None:
            for info in active_jobs:
                yield info
            return
        states = {queued.number: queued.state for queued in queue}
        self._end_surplus(queue)
        hopeless = self._waiting.judge([each for each in queue if each.number in self.open])
        gone = [info.external_jobid for info in active_jobs if info.external_jobid not in states]
        accounts = ask_accounts(gone, self.site.clusters) if gone else {}
        states |= accounts or {}
        for info in active_jobs:
            number = info.external_jobid
            if number in hopeless:
                give_up(self, info, hopeless[number])
            elif check_job(self, info, states.get(number), known=accounts is not None):
                yield info
                continue
            self.open.pop(number, None)
            for job in self.postponed.due(ended=1):  # there is room for one now
                self.submit_soon(job)

    def _end_surplus(self, queue: list[Queued]) -> None:
        """Cancel jobs that were accepted twice: an answer was lost, and the queue was out of date."""
        followed = {made for job in queue if job.number in self.open for made in outputs_of(job.mark)}
        unknown = [
            job
            for job in queue
            if job.folder == self.launch and job.number not in self.own and job.fate == "alive"
        ]
        surplus = {job.number for job in unknown if outputs_of(job.mark) & followed}
        for number in surplus & self._surplus:  # twice in a row: not one that is being submitted
            self.logger.warning(
                f"SLURM job {number} was accepted although the answer was lost: cancelled."
            )
            cancel([number], self.site.clusters)
        self._surplus = surplus

    def report_job_error(self, job_info: Any, msg: str = "", **others: Any) -> None:
        """Report a failure to Snakemake, which shows no message for a group of jobs."""
        if job_info.job.is_group() and msg:
            self.logger.error(msg)
        super().report_job_error(job_info, msg=msg, **others)

    # --- shutdown ------------------------------------------------------------------------------

    async def sleep(self) -> None:
        """Wait until jobs are to be checked again, or the run is cancelled."""
        end = time.monotonic() + self.next_seconds_between_status_checks
        while time.monotonic() < end and not self.closing.is_set():
            await asyncio.sleep(LOOK_S)

    def cancel(self) -> None:
        """Cancel all jobs, also those whose number was lost, and log those that could not be cancelled.

        The stock executor tries once, forgets jobs whose state it is querying at that moment, and still
        submits jobs that wait for submission.
        """
        self.closing.set()
        with interrupts_noted(self.logger) as hurry:
            self._job_submission_executor.shutdown(wait=True, cancel_futures=True)
            cancel_all(self.open, self.launch, self.site.clusters, hurry, self.logger)
            self.shutdown()

    def shutdown(self) -> None:
        """End the threads without submitting waiting jobs; the stock executor submits them first."""
        self.closing.set()
        self._job_submission_executor.shutdown(wait=True, cancel_futures=True)
        super().shutdown()
