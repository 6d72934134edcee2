"""Reading Snakemake's job objects, and setting their requests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paretoken.slurm.job_names import CELL, digest, label, mark
from paretoken.slurm.job_script import OWNERS
from paretoken.slurm.site import Requirements, Site, request, require_free_options

#: Resources in which requests differ, see `request`.
REQUESTED = ("nodes", "cpus_per_task", "mem_mb", "mem_mb_per_cpu", "runtime", "node_gres",
             "slurm_partition", "constraint", "qos", "clusters", "slurm_extra")  # fmt: skip
#: Set when a job's request was made, until the attempt changes.
ASKED = "paretoken_asked"
#: Resources that a rule (or `set-resources` in the profile) may set instead of the site.
OWN = ("slurm_partition", "constraint", "qos", "clusters")


def ask_for(job: Any, site: Site) -> dict[str, Any]:
    """Turn a job's resources into the request to this site, once for each attempt; return it."""
    given = job.resources
    if not given.get(ASKED):
        needs = Requirements(
            gpus=given.get("gpus", 0),
            cpus=given.get("cpus", job.threads),
            mem_mb=given.get("mem_mb", 1000),
            runtime_min=given.get("runtime", 10),
        )
        own = {key: given.get(key) for key in OWN if given.get(key)}
        made = request(needs, site)
        if given.get("slurm_extra"):  # of a rule or `set-resources`: sbatch uses the last one
            require_free_options(str(given.get("slurm_extra")))
            made["slurm_extra"] = f"{made['slurm_extra']} {given.get('slurm_extra')}"
        both = {**dict(given.items()), **made, **own, ASKED: 1}
        # Snakemake discards them when the attempt changes, and computes them anew.
        job._resources = both if job.is_group() else type(given)(fromdict=both)
    return {key: job.resources.get(key) for key in REQUESTED}


def label_of(job: Any) -> str:
    """Return a job's name for people; a group of one cell's jobs is named after the cell."""
    if not job.is_group():
        return label(job.rule.name, job.wildcards_dict)
    wildcards = min(job.jobs, key=lambda member: str(member.jobid)).wildcards_dict
    cell = {name: wildcards[name] for name in CELL if name in wildcards}
    return label(str(job.groupid), cell if len(cell) == len(CELL) else {})


def mark_of(job: Any) -> str:
    """Return the mark by which a later driver recognises a job."""
    members = [(member, digest(_work(member))) for member in _members(job)]
    return mark((str(path), work) for member, work in members for path in member.output)


def log_of(job: Any, folder: Path, number: str) -> Path:
    """Return the path at which the stock executor makes SLURM write a job's log."""
    rule = f"group_{job.name}" if job.is_group() else f"rule_{job.name}"
    wildcards = "" if job.is_group() else "_".join(job.wildcards).replace("/", "_")
    return folder / rule / wildcards / f"{number}.log"


def logs_of(job: Any, project: Path) -> list[Path]:
    """Return the logs of a job's rules."""
    return [project / str(log) for member in _members(job) for log in member.log]


def outputs_of(job: Any, project: Path) -> list[Path]:
    """Return the results of a job's rules."""
    return [project / str(path) for member in _members(job) for path in member.output]


def owners_of(job: Any, project: Path) -> list[Path]:
    """Return the files that name the owners of a job's results, one per rule (`io.ownership`)."""
    firsts = [str(next(iter(member.output), member.name)) for member in _members(job)]
    return [project / OWNERS / digest([first]) for first in firsts]


def _members(job: Any) -> list[Any]:
    return list(job.jobs) if job.is_group() else [job]


def _work(job: Any) -> Iterable[str]:
    """Yield what determines a job's result: its command, and the state of its inputs.

    Of inputs that other jobs of its group make, only the paths count: they do not exist yet when the
    group is submitted. If they are made again, the jobs that make them are in the group, too.
    """
    yield str(job.shellcmd)
    made = _made_in_group(job)
    for path in job.input:
        try:
            yield str(path) if path in made else f"{path} {Path(path).stat().st_mtime_ns}"
        except OSError:
            yield str(path)


def _made_in_group(job: Any) -> set[str]:
    if not job.group:
        return set()
    makers = job.dag.dependencies[job].items()
    return {str(path) for maker, paths in makers if maker.group == job.group for path in paths}
