"""Following SLURM jobs: reporting their outcome to Snakemake, or submitting them again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from paretoken.slurm.queue import (
    GONE,
    HELD,
    cancel,
    failure_reason,
    fate_of,
    says_done,
    state_of,
)
from paretoken.slurm.site import described
from snakemake_executor_plugin_paretoken_slurm.jobs import label_of, logs_of
from snakemake_executor_plugin_paretoken_slurm.submission import submit_again

#: How long a job must be unknown, or in a state that SLURM may leave by itself: queries, seconds.
GRACE_QUERIES, GRACE_S = 3, 5.0
#: Seconds without accounting after which a job that squeue does not show is judged by its log.
ACCOUNTS_S = 600.0


def check_job(executor: Any, info: Any, state: str | None, known: bool = True) -> bool:
    """Return whether a job is still active; if not, report its end to Snakemake, or submit it again.

    Args:
        executor: its `site`, `project`, `submit_soon` and methods that report are used.
        info: information about the submitted job.
        state: its state in SLURM; None if SLURM does not know it.
        known: whether accounting was queried about it and answered.
    """
    fate = "unknown" if state is None else fate_of(state)
    if fate == "alive":
        info.aux.pop("since", None)
        return True
    log = Path(info.aux["slurm_logfile"])
    since = info.aux.setdefault("since", time.monotonic())
    grace = max(GRACE_S, GRACE_QUERIES * executor._poll)
    patience = grace if known else max(grace, ACCOUNTS_S)
    lasting = time.monotonic() - since
    if fate in ("taken", "unknown") and lasting < patience:
        return True  # SLURM may be about to start it again, or to list it
    if fate == "unknown" and not says_done(log):  # squeue may not show it although SLURM has it
        reported = state_of(info.external_jobid, executor.site.clusters)
        if reported is None and lasting < ACCOUNTS_S:
            return True
        if reported is not None and fate_of(reported) == "alive":
            return True
        state = None if reported == GONE else reported
        fate = "unknown" if state is None else fate_of(state)
    return _ended(executor, info, state, fate)


def _ended(executor: Any, info: Any, state: str | None, fate: str) -> bool:
    """Report a job that has ended to Snakemake, or submit it again; return False: it is not active."""
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
        else failure_reason(state, logs, info.job.resources.get("mem_mb"), executor.project / "results")
    )
    msg = f"{label_of(info.job)} (SLURM job {info.external_jobid}) failed: {reason}. "
    executor.report_job_error(info, msg=msg, aux_logs=[str(log)])


def give_up(executor: Any, info: Any, reason: str) -> None:
    """Cancel a job that would wait forever, as the stock executor lets it; report its request."""
    cancel([info.external_jobid], executor.site.clusters)
    asked = described(dict(info.job.resources.items()), executor.site.account)
    msg = f"{label_of(info.job)}: SLURM never runs jobs that request {asked}: {reason}. "
    executor.report_job_error(info, msg=msg)
