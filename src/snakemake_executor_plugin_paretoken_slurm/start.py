"""Preparing a run: rejecting impossible requests, and copying the files that jobs run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from paretoken.slurm.freeze import LAUNCHES, freeze, in_launch, named_in, remove_old
from paretoken.slurm.programs import ask
from paretoken.slurm.queue import nodes_are_missing
from paretoken.slurm.site import Site, described
from snakemake_executor_plugin_paretoken_slurm.jobs import ask_for, label_of

UNAVAILABLE = "node configuration is not available"


def refuse_impossible(
    jobs: Iterable[Any], site: Site, file: Path | None, sbatch: Callable[[Any], list[str]]
) -> None:
    """Ask SLURM to validate each kind of request; the stock executor finds out job by job, or never.

    Args:
        jobs: Snakemake's jobs, which are not changed.
        site: the cluster that they run on.
        file: the site's file.
        sbatch: returns the command that submits a job.

    Raises:
        WorkflowError: SLURM rejects requests; the message lists them with their rules.
    """
    kinds: dict[str, tuple[Any, dict[str, Any], list[str]]] = {}
    for job in jobs:
        kept = job._resources
        asked = ask_for(job, site)
        if repr(asked) not in kinds:
            kinds[repr(asked)] = job, asked, sbatch(job)
        job._resources = kept
    wrong = [
        f"  - rule {job.rule.name} (such as {label_of(job)}) requests "
        f"{described(asked, site.account)}: {problem}"
        for job, asked, line in kinds.values()
        if (problem := _refusal(line, asked["slurm_partition"], site.clusters))
    ]
    if wrong:
        raise WorkflowError(
            "SLURM rejects the requests of these rules, so nothing was submitted:\n"
            + "\n".join(wrong)
            + f"\nCorrect {file or 'the profile'} (partitions, account, GPUs per node, limits), or the "
            "config's `gpus`."
        )


def _refusal(line: list[str], partition: str | None, clusters: str | None) -> str:
    """Return why SLURM rejects a submission; empty if the job may run at some time."""
    answer = ask([*line, "--test-only", "--wrap", "true"])
    if answer.output is not None or answer.temporary:
        return ""
    if UNAVAILABLE in answer.complaint and nodes_are_missing(partition, clusters):
        return ""
    return re.sub(r"sbatch: error: |allocation failure: ", "", answer.complaint)


def freeze_launch(workflow: Any, project: Path, used: Collection[Path]) -> Path:
    """Copy the files that jobs run, and make Snakemake use the copy for all remote jobs.

    Args:
        workflow: Snakemake's workflow.
        project: its working directory.
        used: working directories of earlier jobs that are still alive.
    """
    remove_old(project / LAUNCHES, used)
    launch = project / LAUNCHES / f"{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}"
    settings = workflow.config_settings
    files = [Path(path) for path in settings.configfiles]
    freeze(project, launch, [*files, *named_in(workflow.globals.get("config"))])
    settings.configfiles = [in_launch(Path(path), project, launch) for path in settings.configfiles]
    workflow.overwrite_workdir = launch
    workflow._workdir_init = str(launch)
    if Path(sys.modules[Site.__module__].__file__ or "").is_relative_to(project / "src"):
        path = [str(launch / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(path)
    return launch
