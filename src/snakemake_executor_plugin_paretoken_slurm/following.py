"""What follows from the state of a SLURM job for a job of Snakemake's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from paretoken.slurm.queue import GONE, HELD, cancel, fate_of, says_done, state_of, why
from paretoken.slurm.site import described
from snakemake_executor_plugin_paretoken_slurm.jobs import label_of, logs_of
from snakemake_executor_plugin_paretoken_slurm.submission import submit_again

#: How long a state that SLURM may leave by itself must last, or a job be unknown: questions, seconds.
GRACE_QUESTIONS, GRACE_S = 3, 5.0
#: How long accounting may be away before a job that squeue does not show is judged by its log.
ACCOUNTS_S = 600.0


def goes_on(executor: Any, info: Any, state: str | None, known: bool = True) -> bool:
    """Whether a job goes on; if not, Snakemake is told, or it is submitted again.

    Args:
        executor: its `site`, `project` and `submit_soon` are used, and what it reports.
        info: of the job.
        state: in which SLURM has it; None if SLURM does not know it.
        known: whether accounting was asked about it and answered.
    """
    fate = "unknown" if state is None else fate_of(state)
    if fate == "alive":
        info.aux.pop("since", None)
        return True
    log = Path(info.aux["slurm_logfile"])
    since = info.aux.setdefault("since", time.monotonic())
    grace = max(GRACE_S, GRACE_QUESTIONS * executor._poll)
    patience = grace if known else max(grace, ACCOUNTS_S)
    lasting = time.monotonic() - since
    if fate in ("taken", "unknown") and lasting < patience:
        return True  # SLURM may be about to start it again, or to list it
    if fate == "unknown" and not says_done(log):  # squeue may show nothing though SLURM has it
        told = state_of(info.external_jobid, executor.site.clusters)
        if told is None and lasting < ACCOUNTS_S:
            return True
        if told is not None and fate_of(told) == "alive":
            return True
        state = None if told == GONE else told
        fate = "unknown" if state is None else fate_of(state)
    return _ended(executor, info, state, fate)


def _ended(executor: Any, info: Any, state: str | None, fate: str) -> bool:
    """Tell Snakemake of a job that has ended, or submit it again; False: it does not go on."""
    log = Path(info.aux["slurm_logfile"])
    if state in (HELD, "SPECIAL_EXIT"):
        # It would run a second time when somebody releases it.
        cancel([info.external_jobid], executor.site.clusters)
    if info.aux.get("submit_after"):
        executor.submit_soon(info.job)
    elif fate == "done" or (state is None and says_done(log)):
        executor.report_job_success(info)
    elif fate != "taken" or not submit_again(executor, info, str(state)):
        _report_failure(executor, info, state, log)
    return False


def _report_failure(executor: Any, info: Any, state: str | None, log: Path) -> None:
    logs = [log, *logs_of(info.job, executor.project)]
    reason = (
        "SLURM no longer knows it, and its log does not say that it is done"
        if state is None
        else why(state, logs, info.job.resources.get("mem_mb"), executor.project / "results")
    )
    msg = f"{label_of(info.job)} (SLURM job {info.external_jobid}) failed: {reason}. "
    executor.report_job_error(info, msg=msg, aux_logs=[str(log)])


def give_up(executor: Any, info: Any, reason: str) -> None:
    """Cancel a job that would wait for ever (the stock executor lets it); say what it asked for."""
    cancel([info.external_jobid], executor.site.clusters)
    asked = described(dict(info.job.resources.items()), executor.site.account)
    msg = f"{label_of(info.job)}: SLURM never runs what asks for {asked}: {reason}. "
    executor.report_job_error(info, msg=msg)
