"""Submitting Snakemake's jobs to SLURM, or following SLURM jobs that exist already."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.validation import validate_or_get_slurm_job_id
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from paretoken.slurm.job_names import covers
from paretoken.slurm.job_script import job_script
from paretoken.slurm.programs import Answer, ask
from paretoken.slurm.queue import Queued, ask_queue
from paretoken.slurm.site import described
from paretoken.slurm.submitted import Submitted, record_submission
from snakemake_executor_plugin_paretoken_slurm.jobs import (
    ask_for,
    label_of,
    log_of,
    logs_of,
    mark_of,
    outputs_of,
    owners_of,
)

#: How often a job that lost its resources (node failed, preempted for good) is submitted again.
TAKEN_AT_MOST = 50
#: A limit of this user's own submitted jobs; how often it must reject a job while there are no others.
OWN_LIMIT = re.compile(r"AssocMaxSubmitJobLimit|QOSMaxSubmitJobPerUserLimit")
ALONE_TIMES = 3


def submit_or_follow(executor: Any, job: Any) -> None:
    """Follow the SLURM job that makes the results of a job; else submit the job, or postpone it.

    Args:
        executor: its `site`, `earlier`, `postponed`, `closing`, `project`, `launch`, `own` and `open`
            are used.
        job: Snakemake's job.
    """
    mark = mark_of(job)
    if executor.postponed.may_be_there(mark):  # its submission may have succeeded, and the answer lost
        try:
            executor.earlier.ask()
        except WorkflowError:  # the thread that follows jobs decides whether the run ends
            executor.postponed.add(job, mark, lost=True)
            return
        if executor.closing.is_set():
            return
    ask_for(job, executor.site)
    known = executor.earlier.take(job)
    if known is not None:
        executor.postponed.accepted(mark)
        _follow_earlier(executor, job, known)
        return
    answer, number = _submit(executor, job)
    name = label_of(job)
    if number:
        executor.postponed.accepted(mark)
        log = _follow(executor, job, number)
        try:
            record_submission(Submitted(number, mark, name, executor.launch))
        except OSError as error:
            executor.logger.warning(
                f"{name}: SLURM job {number} cannot be recorded in {executor.launch}: {error.strerror}. "
                "It continues; a later driver finds it as long as squeue shows it."
            )
        executor.logger.info(
            f"Job {job.jobid} has been submitted with SLURM jobid {number} (log: {log})."
        )
    elif answer.temporary and not _never_fits(executor, answer, mark):
        pause = executor.postponed.add(job, mark, answer.lost)
        executor.logger.warning(
            f"{name}: {answer.complaint.rstrip('.')}. It is submitted again in {pause:g} s."
        )
    else:
        asked = described(dict(job.resources.items()), executor.site.account)
        msg = f"{name}: requested {asked}. {answer.complaint.rstrip('.')}. "
        executor._report_job_error_threadsafe(SubmittedJobInfo(job), msg)


def submit_again(executor: Any, info: Any, state: str) -> bool:
    """Submit a job that lost its resources without using up a retry; False if that was too often."""
    own = mark_of(info.job)
    executor.taken[own] = executor.taken.get(own, 0) + 1
    if executor.taken[own] > TAKEN_AT_MOST:
        return False
    executor.logger.warning(
        f"{label_of(info.job)}: SLURM job {info.external_jobid} ended as {state} and is not started "
        "again by SLURM: it is submitted again and resumes from its last checkpoint."
    )
    executor.submit_soon(info.job)
    return True


def sbatch_line(executor: Any, job: Any, log: Path = Path(os.devnull)) -> list[str]:
    """Return the stock executor's command that submits a job, as a list of arguments."""
    words = {
        "run_uuid": executor.run_uuid,
        "slurm_logfile": log,
        "comment_str": "",
        "account": next(iter(executor.get_account_arg(job))),
        "partition": executor.get_partition_arg(job),
        "workdir": executor.workflow.workdir_init,
    }
    return shlex.split(get_submit_command(job, words, settings=executor.workflow.executor_settings))


def _submit(executor: Any, job: Any) -> tuple[Answer, str]:
    """Run sbatch; return its result, and the number of the job, which is empty if there is none."""
    log = log_of(job, Path(executor.slurm_logdir), "%j")
    log.parent.mkdir(parents=True, exist_ok=True)
    pattern = Path(str(log.parent).replace("%", "%%")) / log.name  # in a path, sbatch replaces %x
    parts = [of(job, executor.project) for of in (owners_of, logs_of, outputs_of)]
    script = job_script(executor.format_job_exec(job), executor.launch, *parts)
    answer = ask(sbatch_line(executor, job, pattern), script)
    if answer.output is None:
        return answer, ""
    first = answer.output.strip().split(";")[0]  # with --clusters, the cluster's name follows
    try:
        return answer, validate_or_get_slurm_job_id(first, answer.output)
    except WorkflowError as error:  # the job exists: the queue shows its number
        return Answer(None, str(error), temporary=True, lost=True), ""


def _never_fits(executor: Any, answer: Answer, mark: str) -> bool:
    """Whether the limit of this user's submitted jobs rejects a job although there are no others."""
    if executor.postponed.times(mark) < ALONE_TIMES or not OWN_LIMIT.search(answer.complaint):
        return False
    queue, _ = ask_queue(executor.site.clusters)
    return queue is not None and not any(job.fate == "alive" for job in queue)


def _follow(executor: Any, job: Any, number: str, submit_after: bool = False) -> Path:
    """Follow a SLURM job for a job of Snakemake's; return its log."""
    log = log_of(job, Path(executor.slurm_logdir), number)
    executor.own[number] = executor.open[number] = label_of(job)
    info = SubmittedJobInfo(
        job, external_jobid=number, aux={"slurm_logfile": log, "submit_after": submit_after}
    )
    executor._report_job_submission_threadsafe(info)
    return log


def _follow_earlier(executor: Any, job: Any, known: Queued) -> None:
    name, same = label_of(job), covers(known.mark, mark_of(job))
    if same:
        executor.logger.info(
            f"{name}: SLURM job {known.number} of an earlier start ({known.state.lower()}) is followed, "
            "not submitted again."
        )
    else:  # after an error, Snakemake would record the other job's results as this one's
        executor.logger.warning(
            f"{name}: SLURM job {known.number} of an earlier start still writes the same files with "
            "other settings or inputs. This job is submitted when that one has ended; "
            f"`scancel {known.number}` ends it now."
        )
    _follow(executor, job, known.number, submit_after=not same)
