"""The stock SLURM executor, with what its options cannot mend.

Each method says which failure of snakemake-executor-plugin-slurm 2.8.0 it answers; tests/cluster has the
case. Everything that is not about Snakemake's own objects is in `paretoken.cluster`.
"""

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
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from paretoken.cluster.commands import LATER, clean, in_job, requests_of
from paretoken.cluster.freeze import in_launch
from paretoken.cluster.queue import (
    HELD,
    Queued,
    ask_accounts,
    ask_queue,
    cancel,
    fate_of,
    says_done,
    why,
)
from paretoken.cluster.reasons import limit_of
from paretoken.cluster.site import Site, described, read_site
from paretoken.cluster.submitted import Submitted, note
from paretoken.errors import UserError
from paretoken.escape import message
from snakemake_executor_plugin_paretoken_slurm.earlier import Earlier
from snakemake_executor_plugin_paretoken_slurm.jobs import ask_for, label_of, log_of, mark_of
from snakemake_executor_plugin_paretoken_slurm.settings import ExecutorSettings
from snakemake_executor_plugin_paretoken_slurm.start import freeze_launch, refuse_impossible

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

#: How long a state that SLURM may leave by itself must last, or a job be unknown: questions, seconds.
GRACE_QUESTIONS, GRACE_S = 3, 5.0
#: How often a job that was taken from us (node failed, preempted for good) is submitted again by itself.
TAKEN_AT_MOST = 50


class Executor(StockExecutor):  # type: ignore[misc]  # untyped
    """Follows jobs by squeue, and loses none."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        """Take what changes the meaning of SLURM's commands out of the environment, for jobs too.

        The stock executor removes an outer job's own variables only, and `sbatch` exports all others.
        """
        inside = in_job(os.environ)
        meant = requests_of(clean(os.environ), inside)
        if meant:
            logger.warning(
                f"Of the environment, {', '.join(meant)} are not used: what jobs ask for is in the "
                "site's file."
            )
        super().__init__(workflow, logger)

    def __post_init__(self, test_mode: bool = False) -> None:
        """Read the site, look at what SLURM has of this folder, check requests, freeze the launch."""
        super().__post_init__(test_mode)
        self._closing = threading.Event()
        self._taken: dict[str, int] = {}
        self._own: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self._complaint = ""
        settings = self.workflow.executor_settings
        self._poll = settings.poll_seconds
        self._project = Path(self.workflow.workdir_init)
        try:
            self._site = read_site(settings.site) if settings.site else Site()
        except UserError as error:
            raise WorkflowError(message(error)) from error
        if settings.array_jobs:
            raise WorkflowError(
                "No job arrays with this executor: all tasks would get the resources of the first. "
                "Leave paretoken-slurm-array-jobs out of the profile and the command line"
            )
        if shutil.which("squeue") is None:
            raise WorkflowError("There is no squeue here: start this on a login node of the cluster")
        self._earlier = Earlier(
            self._project, self._site.clusters, self._poll, self._closing, self.logger
        )
        self._earlier.ask()
        self._earlier.report()
        jobs = [job for job in self.dag.needrun_jobs() if not job.is_local]
        refuse_impossible(jobs, self._site, settings.site, self._sbatch)
        self._freeze()

    # --- what is submitted ---------------------------------------------------------------------

    def additional_general_args(self) -> str:
        """Start one Snakemake per job, not two.

        The stock executor's second one removes SLURM's variables from the job, which `srun` and
        `torchrun` need, and doubles the time to start.
        """
        return ""

    def get_account_arg(self, job: Any) -> Iterable[str]:
        """Yield the site's account, or nothing: the stock executor guesses one from sacct."""
        yield f" -A {shlex.quote(self._site.account)}" if self._site.account else ""

    def get_partition_arg(self, job: Any) -> str:
        """Return partition, name, mark and GPUs: the last of equal options counts for sbatch.

        The stock executor names all jobs by the same random number, and refuses GPU models with hyphens.
        """
        named = f" --job-name {shlex.quote(label_of(job))} --comment {mark_of(job)}"
        gres = job.resources.get("node_gres")
        gpus = f" --gres {shlex.quote(gres)}" if gres else ""
        return str(super().get_partition_arg(job)) + named + gpus

    def run_job(self, job: Any) -> None:
        """Submit a job, unless SLURM has it already, from a driver that died.

        The stock executor would run it twice at the same time, in the same folder.
        """
        earlier = self._earlier.take(job)
        ask_for(job, self._site)
        if earlier is None:
            super().run_job(job)
            return
        name, same = label_of(job), earlier.mark == mark_of(job)
        if same:
            self.logger.info(
                f"{name}: SLURM job {earlier.number} of an earlier start "
                f"({earlier.state.lower()}) is followed, not submitted again."
            )
        else:  # an error would have Snakemake record that the other job's result is this one's
            self.logger.warning(
                f"{name}: SLURM job {earlier.number} of an earlier start still writes the same files "
                "with other settings or inputs. This job is submitted when that one has ended; "
                f"`scancel {earlier.number}` ends it now."
            )
        aux = {
            "slurm_logfile": log_of(job, Path(self.slurm_logdir), earlier.number),
            "submit_after": not same,
            "earlier": True,
        }
        self._report_job_submission_threadsafe(
            SubmittedJobInfo(job, external_jobid=earlier.number, aux=aux)
        )

    def _report_job_error_threadsafe(self, job_info: Any, msg: str) -> None:
        """Wait and submit again if SLURM was away or full; else say what was asked for.

        The stock executor counts it as a failure of the job: retries are used up in seconds.
        """
        name = label_of(job_info.job)
        if "sbatch failed" in msg and LATER.search(msg) and not self._closing.is_set():
            reason = msg.partition("error message was '")[2].partition("'.\n")[0].strip()
            self.logger.warning(f"{name}: sbatch: {reason} It is submitted again later.")
            self._closing.wait(self._poll)
            self._earlier.ask(self._own)  # the submission that timed out may have got through
            if not self._closing.is_set():
                self._job_submission_executor.submit(self.run_job, job_info.job)
            return
        if "sbatch failed" in msg:
            asked = described(dict(job_info.job.resources.items()), self._site.account)
            msg = f"{name}: asked for {asked}. {msg}"
        super()._report_job_error_threadsafe(job_info, msg)

    # --- what became of it ---------------------------------------------------------------------

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncIterator[Any]:
        """Decide about each job; yield those that go on.

        The stock executor forgets all jobs after five unanswered questions, waits for ever for jobs
        that were preempted for good or (by sacct) cancelled, and counts unknown jobs as done.
        """
        if not active_jobs:
            self.next_seconds_between_status_checks = 1  # also asked before all of this object is there
            return
        self.next_seconds_between_status_checks = self._poll
        async with self.status_rate_limiter:
            queue, answer = ask_queue(self._site.clusters)
        if answer.complaint and answer.complaint != self._complaint:
            self.logger.warning(
                f"SLURM does not say what became of jobs: {answer.complaint}. They count as running, "
                "and it is asked again."
            )
        self._complaint = answer.complaint
        if queue is None:
            for info in active_jobs:
                yield info
            return
        states = {queued.number: queued.state for queued in queue}
        self._say_why(queue)
        hopeless = {each.number: limit_of(each.reason) for each in queue if each.waits == "never"}
        gone = [info.external_jobid for info in active_jobs if info.external_jobid not in states]
        states |= ask_accounts(gone, self._site.clusters) if gone else {}
        for info in active_jobs:
            if info.external_jobid in hopeless:
                self._give_up(info, hopeless[info.external_jobid])
            elif self._goes_on(info, states.get(info.external_jobid)):
                yield info

    def _goes_on(self, info: Any, state: str | None) -> bool:
        """Whether a job goes on; if not, Snakemake is told, or it is submitted again."""
        fate = "unknown" if state is None else fate_of(state)
        if fate == "alive":
            info.aux.pop("since", None)
            return True
        log = Path(info.aux["slurm_logfile"])
        since = info.aux.setdefault("since", time.monotonic())
        if fate in ("taken", "unknown") and time.monotonic() - since < max(
            GRACE_S, GRACE_QUESTIONS * self._poll
        ):
            return True  # SLURM may be about to start it again, or to list it
        if state == HELD:
            self._end(info)  # it would run a second time when somebody releases it
        if info.aux.get("submit_after"):
            self._job_submission_executor.submit(self.run_job, info.job)
            return False
        if fate == "done" or (state is None and says_done(log)):
            self.report_job_success(info)
            return False
        if fate == "taken" and self._submit_again(info, str(state)):
            return False
        asked = info.job.resources.get("mem_mb")
        reason = "SLURM knows it no more" if state is None else why(state, log, asked)
        msg = f"{label_of(info.job)} (SLURM job {info.external_jobid}) failed: {reason}. "
        self.report_job_error(info, msg=msg, aux_logs=[str(log)])
        return False

    def _give_up(self, info: Any, reason: str) -> None:
        """Cancel a job that would wait for ever (the stock executor lets it); say what it asked for."""
        self._end(info)
        asked = described(dict(info.job.resources.items()), self._site.account)
        msg = f"{label_of(info.job)}: SLURM never runs what asks for {asked}: {reason}. "
        self.report_job_error(info, msg=msg)

    def _end(self, info: Any) -> None:
        cancel([info.external_jobid], self._site.clusters)

    def _say_why(self, queue: list[Queued]) -> None:
        """Say once of each job what time alone does not change: it does not wait without a word."""
        for queued in queue:
            told = queued.number, queued.reason
            if queued.waits == "person" and queued.number in self._own and told not in self._told:
                self._told.add(told)
                self.logger.warning(
                    f"{queued.name} (SLURM job {queued.number}) waits for {limit_of(queued.reason)}, "
                    "which time alone may not change."
                )

    def _report_job_submission_threadsafe(self, job_info: Any) -> None:
        """Remember which jobs are this driver's own, for this driver and for a later one."""
        number, job = str(job_info.external_jobid), job_info.job
        if number not in self._own and not job_info.aux.get("earlier"):
            note(Submitted(number, mark_of(job), label_of(job), self._launch))
        self._own.add(number)
        super()._report_job_submission_threadsafe(job_info)

    def _submit_again(self, info: Any, state: str) -> bool:
        """Submit a job that was taken from us, without using up a retry; False if that was too often."""
        own = mark_of(info.job)
        self._taken[own] = self._taken.get(own, 0) + 1
        if self._taken[own] > TAKEN_AT_MOST:
            return False
        self.logger.warning(
            f"{label_of(info.job)}: SLURM job {info.external_jobid} ended as {state} and is not "
            "started again by SLURM: it is submitted again and goes on from its last checkpoint."
        )
        self._job_submission_executor.submit(self.run_job, info.job)
        return True

    def cancel(self) -> None:
        """Stop waiting for SLURM, then cancel all jobs."""
        self._closing.set()
        super().cancel()

    # --- at the start --------------------------------------------------------------------------

    def _sbatch(self, job: Any) -> str:
        """Return the stock executor's sbatch line for a job."""
        words = {
            "run_uuid": self.run_uuid, "slurm_logfile": os.devnull, "comment_str": "",
            "account": next(iter(self.get_account_arg(job))),
            "partition": self.get_partition_arg(job), "workdir": str(self._project),
        }  # fmt: skip
        line = get_submit_command(job, words, settings=self.workflow.executor_settings)
        return str(line + set_gres_string(job))

    def _freeze(self) -> None:
        """Let jobs run a copy; the stock executor's read the project's files when they start."""
        used = [job.folder for job in self._earlier.alive]
        launch = self._launch = freeze_launch(self.workflow, self._project, used)
        self.snakefile = str(in_launch(Path(self.workflow.main_snakefile), self._project, launch))
        self.logger.info(f"Jobs run what config, workflow and code are now: {launch}")
