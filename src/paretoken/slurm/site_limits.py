"""Finding the limit that a job exceeds if it waits forever, with the site's values."""

from __future__ import annotations

import re

from paretoken.slurm.programs import ask, cluster_option
from paretoken.slurm.reasons import limit_of

#: Limits of a partition, as `scontrol show partition` names them.
PARTITION = ("MaxTime", "MaxNodes", "MinNodes", "MaxCPUsPerNode", "MaxMemPerNode", "MaxMemPerCPU")
#: Limits of accounts and of QOSs, as `sacctmgr` names them.
BOTH = ("MaxWall", "MaxTRES", "MaxTRESPerNode", "MaxTRESMins", "GrpTRES", "GrpTRESMins")
ASSOCIATION, QOS = (*BOTH, "MaxJobs"), (*BOTH, "MinTRES")


def limit_in_words(number: str, reason: str, clusters: str | None = None) -> str:
    """Return a job's reason to wait in words, with the values of limits that SLURM reports.

    Args:
        number: number of the job.
        reason: as squeue gives it.
        clusters: the cluster to query, on sites with several.
    """
    limits = _limits(number, reason, cluster_option(clusters))
    return limit_of(reason) + (f" ({', '.join(limits)})" if limits else "")


def _limits(number: str, reason: str, where: list[str]) -> list[str]:
    said = ask(
        ["squeue", "--noheader", "--all", f"--jobs={number}", *where, "--format=%P\t%q\t%a\t%u"]
    ).output
    found = re.search(r"^(.*)\t(.*)\t(.*)\t(.*)$", said or "", re.MULTILINE)
    if found is None:
        return []
    partition, qos, account, user = found.groups()
    if reason.startswith("Partition"):
        text = ask(["scontrol", *where, "show", "partition", partition]).output or ""
        pairs = [re.search(rf"\b{name}=(\S+)", text) for name in PARTITION]
        return [
            f"{pair[0]} of partition {partition}"
            for pair in pairs
            if pair and pair[1] not in ("UNLIMITED", "0")
        ]
    if reason.startswith("QOS"):
        return _accounted("qos", [f"name={qos}"], QOS, f"of QOS {qos}")
    if reason.startswith(("Assoc", "MaxMemPerLimit")):
        whose = [f"account={account}", f"user={user}"]
        return _accounted("assoc", whose, ASSOCIATION, f"of account {account}")
    return []


def _accounted(kind: str, whose: list[str], names: tuple[str, ...], owner: str) -> list[str]:
    command = ["sacctmgr", "--noheader", "--parsable2", "show", kind, "where", *whose]
    lines = (ask([*command, f"format={','.join(names)}"]).output or "").splitlines()
    values = lines[0].split("|") if lines else []
    return [f"{name}={value} {owner}" for name, value in zip(names, values, strict=False) if value]
