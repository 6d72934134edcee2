"""The states of jobs according to SLURM, and their meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from paretoken.slurm.disks import end_of, full_disk
from paretoken.slurm.programs import LIMIT_S, Answer, ask, cluster_option
from paretoken.slurm.reasons import Kind, kind_of

Fate = Literal["alive", "done", "failed", "taken"]

#: Not a state of SLURM's: pending, but held by SLURM itself, so that only a person can release it.
HELD = "HELD"
#: Not a state of SLURM's: SLURM has no such job (any more), and only its log may say that it is done.
GONE = "GONE"
#: States of jobs that lost their resources: SLURM starts them again if it may, otherwise the driver.
TAKEN = {"BOOT_FAIL", HELD, "NODE_FAIL", "PREEMPTED"}
FAILED = {"CANCELLED", "DEADLINE", "FAILED", GONE, "OUT_OF_MEMORY", "REVOKED", "SPECIAL_EXIT", "TIMEOUT"}
#: Separators: names of jobs may contain line breaks and any printable character, but not these two.
RECORD, FIELD = "\x1e", "\x1f"
FORMAT = RECORD + FIELD.join(("%i", "%T", "%e", "%Z", "%k", "%r", "%j"))
#: Messages in a log when memory ran out: of a cgroup's event, and of SLURM's own accounting.
NO_MEMORY = re.compile(r"oom[-_ ]?kill|out of memory|[Ee]xceeded (job|step) memory limit", re.IGNORECASE)
ALL_DONE = re.compile(r"^(\d+) of \1 steps \(100%\) done", re.MULTILINE)


@dataclass(frozen=True)
class Queued:
    """A job in SLURM: number, state (one word), end, working directory, mark, reason to wait, name."""

    number: str
    state: str
    end: datetime | None
    folder: Path
    mark: str
    reason: str
    name: str

    @property
    def fate(self) -> Fate:
        """The outcome of the job."""
        return fate_of(self.state)

    @property
    def waits(self) -> Kind | None:
        """The kind of its reason to wait; None if it does not wait."""
        return kind_of(self.reason) if self.state == "PENDING" else None


def fate_of(state: str) -> Fate:
    """Return the outcome of a job in a state; unknown states count as alive."""
    if state == "COMPLETED":
        return "done"
    if state in TAKEN:
        return "taken"
    return "failed" if state in FAILED else "alive"


def ask_queue(
    clusters: str | None = None, limit_s: float = LIMIT_S
) -> tuple[list[Queued] | None, Answer]:
    """Return this user's jobs (None if squeue failed), and the result of squeue.

    Jobs that have ended are included as long as SLURM remembers them, and so are those of hidden
    partitions.

    Args:
        clusters: the cluster to query, on sites with several.
        limit_s: seconds that squeue may take.
    """
    shown = ["--me", "--all", "--array", "--noheader", "--states=all", f"--format={FORMAT}"]
    answer = ask(["squeue", *shown, *cluster_option(clusters)], limit_s=limit_s)
    return (None if answer.output is None else list(read_queue(answer.output))), answer


def read_queue(text: str) -> Iterable[Queued]:
    """Yield the jobs in the output of squeue."""
    for record in text.split(RECORD)[1:]:
        fields = record.removesuffix("\n").split(FIELD, 6)
        if len(fields) != 7 or not fields[1].strip():
            continue  # not one of ours, which have all fields
        number, state, end, folder, mark, reason, name = fields
        held = state == "PENDING" and kind_of(reason) == "held"
        state = HELD if held else state.split()[0]
        yield Queued(number, state, _time(end), Path(folder), mark, reason, " ".join(name.split()))


def nodes_are_missing(partition: str | None, clusters: str | None = None) -> bool:
    """Whether some nodes of a partition are down: SLURM then rejects jobs that could run later."""
    states = "down,drain,fail,maint,no_respond,unknown,powering_up,reboot"
    # No `--partition`: sinfo refuses it together with `--all`.
    answer = ask(
        [
            "sinfo",
            "--all",
            "--noheader",
            f"--states={states}",
            "--format=%D %R",
            *cluster_option(clusters),
        ]
    ).output
    if answer is None:
        return True
    counts = [line.split(maxsplit=1) for line in answer.splitlines()]
    return any(
        nodes != "0" and partition in (None, name)
        for nodes, name in (pair for pair in counts if len(pair) == 2 and pair[0].isdecimal())
    )


def cancel(numbers: Sequence[str], clusters: str | None = None) -> Answer:
    """Cancel jobs."""
    return ask(["scancel", *cluster_option(clusters), *numbers])


def ask_accounts(numbers: Sequence[str], clusters: str | None = None) -> dict[str, str] | None:
    """Return the states of jobs in accounting; empty without accounting, None if it does not answer."""
    command = [
        "sacct",
        "--allocations",
        "--noheader",
        "--parsable2",
        "--format=JobID,State",
        *cluster_option(clusters),
    ]
    answer = ask([*command, f"--jobs={','.join(numbers)}"])
    if answer.temporary:
        return None
    pairs = [line.split("|", 1) for line in (answer.output or "").splitlines() if "|" in line]
    states = {number: state.split()[0] for number, state in pairs if state.strip()}
    return {
        number: state
        for number, state in states.items()
        if fate_of(state) != "alive" or state_of(number, clusters) != GONE
    }  # without jobs that SLURM lost in a crash, whose end accounting never records


def state_of(number: str, clusters: str | None = None) -> str | None:
    """Return the state of one job that squeue does not show, or `GONE`; None without an answer."""
    answer = ask(["scontrol", *cluster_option(clusters), "--oneliner", "show", "job", number])
    if "Invalid job id" in answer.complaint:
        return GONE
    found = re.search(r"\bJobState=(\w+)", answer.output or "")
    return found[1] if found else None


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # N/A: not known yet
        return None


def says_done(log: Path) -> bool:
    """Whether a job's log ends with all its steps done; used for jobs that SLURM has forgotten."""
    return ALL_DONE.search(end_of(log)) is not None


def failure_reason(state: str, logs: Sequence[Path], mem_mb: object, results: Path) -> str:
    """Return in words why a job failed.

    Args:
        state: its last state in SLURM.
        logs: SLURM's own log, and those of its rules.
        mem_mb: requested memory in MB.
        results: folder that it wrote to.
    """
    text = "".join(end_of(log) for log in logs)
    if full := full_disk(text, results, results.parent / ".snakemake"):
        return full
    if state == "OUT_OF_MEMORY" or NO_MEMORY.search(text):
        return (
            f"its memory ran out ({mem_mb} MB requested; a retry requests more, up to the site's limit)"
        )
    reasons = {
        "TIMEOUT": (
            "it reached its time limit; a retry has more time, and training resumes from its last "
            "checkpoint"
        ),
        "CANCELLED": "it was cancelled",
        "FAILED": "its command failed: the end of its log says why",
    }
    return reasons.get(state, f"its state in SLURM is {state}")
