"""Settings that differ between clusters, in one small file beside the profile, and requests of jobs."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from paretoken.config.fields import Count, Record, Text, WholeNumber, problem
from paretoken.config.settings import read_settings
from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.plan.resources import GPUS_PER_NODE


def _one_word(text: str) -> str:
    if not text or any(map(str.isspace, text)):
        raise problem(f"{shown(text)} must be one word, without blanks")
    return text


def _one_cluster(text: str) -> str:
    if "," in text:
        raise problem(f"{shown(text)} must be one cluster: a job's number is unique within one only")
    return text


Word = Annotated[str, AfterValidator(_one_word)]

DRIVER = "the driver itself"
FORM = "options of sbatch must be written as --name=value"
#: Options of sbatch that are set elsewhere, by long name, and where. The stock executor rejects most of
#: them in `slurm_extra`, at every submission (its `get_forbidden_slurm_options`).
OWNED = {
    "account": "account", "clusters": "clusters", "constraint": "gpu.constraint or cpu.constraint",
    "exclude": "exclude", "nice": "nice", "partition": "gpu.partition or cpu.partition", "qos": "qos",
    "reservation": "reservation", "mem": "limits.mem_mb", "mem-per-cpu": "mem_per_cpu",
    "time": "limits.runtime_min", "signal": "warn_s",
} | dict.fromkeys(
    ("array", "batch", "chdir", "comment", "cpus-per-gpu", "cpus-per-task", "error", "export",
     "export-file", "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task", "gres", "job-name",
     "mem-per-gpu", "no-requeue", "nodes", "ntasks", "ntasks-per-gpu", "ntasks-per-node", "open-mode",
     "help", "output", "parsable", "quiet", "requeue", "tasks-per-node", "test-only", "usage", "version",
     "wait", "workdir", "wrap"),
    DRIVER,
)  # fmt: skip
#: Short names of these options.
SHORT = {
    "A": "account", "C": "constraint", "D": "chdir", "G": "gpus", "J": "job-name", "M": "clusters",
    "N": "nodes", "W": "wait", "a": "array", "c": "cpus-per-task", "e": "error", "n": "ntasks",
    "o": "output", "p": "partition", "q": "qos", "t": "time", "x": "exclude",
}  # fmt: skip


def _instead(word: str) -> str:
    """Return what to use instead of an option of sbatch; empty if the option is allowed."""
    match = re.fullmatch(r"--([a-z][a-z-]*)(=.*)?|-([A-Za-z]).*", word, re.DOTALL)
    name = match and (match[1] or SHORT.get(match[3], ""))
    if not match or not name:
        return FORM
    # sbatch accepts any unambiguous prefix of a name.
    found = [full for full in OWNED if full == name or (len(name) > 2 and full.startswith(name))]
    if found:
        owner = OWNED[found[0]]
        return f"it is set by {DRIVER}" if owner == DRIVER else f"use {owner}"
    return FORM if match[3] else ""


def _own_option(text: str) -> str:
    """Reject a text that is not an option of sbatch, or an option that another key of the file sets."""
    instead = _instead(text)
    if instead:
        raise problem(f"{shown(text)} cannot be listed under options: {instead}")
    return text


#: Options with a key in the site's file that a rule may also set itself.
RULES_OWN = {"--exclude", "--nice", "--reservation"}


def require_free_options(text: str) -> None:
    """Require that a rule's `slurm_extra` has no option that is set elsewhere, which it would override.

    Args:
        text: options of sbatch, as for a shell.

    Raises:
        UserError: it cannot be parsed, or has such an option.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"slurm_extra {shown(text)} cannot be read: {error}") from error
    for word in words:
        instead = _instead(word)
        if instead and word.partition("=")[0] not in RULES_OWN:
            raise UserError(
                f"slurm_extra {shown(text)} must not set {shown(word)}: {instead} (in the site's file), "
                "or a resource of the rule"
            )


class Partition(Record):
    """The partition that jobs of one kind run in."""

    partition: Word | None = Field(default=None, description="null: the cluster's default.")
    qos: Word | None = Field(default=None, description="sbatch --qos; null: the site's, or the default.")
    constraint: Word | None = Field(default=None, description="Features that a node must have.")


class GpuPartition(Partition):
    """The partition that jobs with GPUs run in."""

    model: Word | None = Field(default=None, description="Type of GPU, as `sinfo -o %G` names it.")
    per_node: Count = Field(default=GPUS_PER_NODE, description="GPUs of a node.")


class Limits(Record):
    """The largest request of a job."""

    mem_mb: Count = Field(default=1_000_000, description="Memory of the largest node, MB.")
    runtime_min: Count = Field(default=2880, description="Longest time limit, minutes.")


class Site(Record):
    """The settings of one cluster."""

    account: Word | None = Field(default=None, description="null: the user's default.")
    qos: Word | None = Field(default=None, description="sbatch --qos; null: the default.")
    reservation: Word | None = Field(default=None, description="sbatch --reservation.")
    clusters: Annotated[Word, AfterValidator(_one_cluster)] | None = Field(
        default=None, description="sbatch --clusters: one cluster of several."
    )
    exclude: list[Word] = Field(default=[], description="Nodes that jobs must not run on.")
    nice: WholeNumber | None = Field(
        default=None, description="sbatch --nice: by how much to lower the priority."
    )
    mem_per_cpu: bool = Field(
        default=False, description="Request memory per CPU, for sites that charge or limit it so."
    )
    cpu: Partition = Field(default=Partition(), description="For jobs without GPUs.")
    gpu: GpuPartition = Field(default=GpuPartition(), description="For jobs with GPUs.")
    limits: Limits = Field(default=Limits(), description="The largest request of a job.")
    warn_s: Count = Field(
        default=600, description="Seconds before the time limit at which a checkpoint is written."
    )
    options: list[Annotated[Text, AfterValidator(_own_option)]] = Field(
        default=[], description="Other options of sbatch, each as --name=value."
    )


def read_site(path: Path) -> Site:
    """Read the file of a site (`UserError` lists all that is wrong with it)."""
    return read_settings(path, Site, "SLURM site")


@dataclass(frozen=True)
class Requirements:
    """The resources that a rule needs, on any cluster.

    Attributes:
        gpus: GPUs on all nodes together.
        cpus: CPUs of a node.
        mem_mb: memory of a node in MB, if a node has `GPUS_PER_NODE` GPUs.
        runtime_min: time limit in minutes.
    """

    gpus: int
    cpus: int
    mem_mb: int
    runtime_min: int


def request(needs: Requirements, site: Site) -> dict[str, int | str]:
    """Return a job's request as the stock executor's resources.

    GPUs are requested per node, with the nodes: SLURM may spread a total number in any way.

    Args:
        needs: the resources that the rule needs.
        site: the cluster that the job runs on.
    """
    planned = max(1, math.ceil(needs.gpus / GPUS_PER_NODE))
    nodes = max(1, math.ceil(needs.gpus / site.gpu.per_node))
    place = site.gpu if needs.gpus else site.cpu
    runtime = min(needs.runtime_min, site.limits.runtime_min)
    cpus = math.ceil(needs.cpus * planned / nodes)
    mem_mb = min(math.ceil(needs.mem_mb * planned / nodes), site.limits.mem_mb)
    asked: dict[str, int | str] = {
        "nodes": nodes,
        "tasks": nodes,
        "cpus_per_task": cpus,
        "mem_mb": mem_mb,
        "runtime": runtime,
        "slurm_extra": shlex.join(_extra(site, runtime)),
    }
    if needs.gpus:
        model = f"{site.gpu.model}:" if site.gpu.model else ""
        # Not `gres`: the stock executor rejects models with hyphens, which sinfo prints.
        asked |= {"node_gres": f"gpu:{model}{math.ceil(needs.gpus / nodes)}"}
    if site.mem_per_cpu:
        asked["mem_mb_per_cpu"] = math.ceil(mem_mb / cpus)
    optional = {
        "slurm_partition": place.partition,
        "constraint": place.constraint,
        "qos": place.qos or site.qos,
        "clusters": site.clusters,
    }
    return asked | {key: value for key, value in optional.items() if value}


def _extra(site: Site, runtime_min: int) -> list[str]:
    """Return the options of sbatch for which the stock executor has no resource.

    The signal reaches job steps only, which `paretoken launch` starts; a short job gets it in its last
    quarter. A job that SLURM starts again appends to the same log.
    """
    warn = min(site.warn_s, 60 * runtime_min // 4)
    fixed = ["--ntasks-per-node=1", "--open-mode=append", f"--signal=USR1@{warn}"]
    fixed += [f"--reservation={site.reservation}"] if site.reservation else []
    fixed += [f"--exclude={','.join(site.exclude)}"] if site.exclude else []
    fixed += [f"--nice={site.nice}"] if site.nice is not None else []
    return [*fixed, *site.options]


def described(asked: dict[str, int | str], account: str | None) -> str:
    """Return a request in the words of the site's file, for messages."""
    words = {
        "account": account,
        "partition": asked.get("slurm_partition"),
        "nodes": asked["nodes"],
        "QOS": asked.get("qos"),
        "GPUs per node": asked.get("node_gres"),
        "CPUs per node": asked["cpus_per_task"],
        "MB per node": asked["mem_mb"],
        "minutes": asked["runtime"],
        "constraint": asked.get("constraint"),
    }
    return ", ".join(f"{key} {value}" for key, value in words.items() if value is not None)
