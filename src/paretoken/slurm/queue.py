"""What SLURM says about jobs, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from paretoken.slurm.disks import end_of, full_disk
from paretoken.slurm.programs import LIMIT_S, Answer, ask, on
from paretoken.slurm.reasons import Kind, kind_of

Fate = Literal["alive", "done", "failed", "taken"]

#: Not a state of SLURM's: pending, but held by SLURM itself, so that only a person can let it go on.
HELD = "HELD"
#: Neither: SLURM says that it has no such job, which at most its log then calls done.
GONE = "GONE"
#: States after which SLURM starts a job again if it may; if it may not, the job was taken from us.
TAKEN = {"BOOT_FAIL", HELD, "NODE_FAIL", "PREEMPTED"}
FAILED = {"CANCELLED", "DEADLINE", "FAILED", GONE, "OUT_OF_MEMORY", "REVOKED", "SPECIAL_EXIT", "TIMEOUT"}
#: Names of jobs may hold line breaks and any sign; these two can be typed into none.
RECORD, FIELD = "\x1e", "\x1f"
FORMAT = RECORD + FIELD.join(("%i", "%T", "%e", "%Z", "%k", "%r", "%j"))
#: How a log tells that memory ran out: of a cgroup's event, and of SLURM's own accounting.
NO_MEMORY = re.compile(r"oom[-_ ]?kill|out of memory|[Ee]xceeded (job|step) memory limit", re.IGNORECASE)
ALL_DONE = re.compile(r"^(\d+) of \1 steps \(100%\) done", re.MULTILINE)


@dataclass(frozen=True)
class Queued:
    """A job as SLURM knows it: number, state (one word), end, folder, mark, why it waits, name."""

    number: str
    state: str
    end: datetime | None
    folder: Path
    mark: str
    reason: str
    name: str

    @property
    def fate(self) -> Fate:
        """What became of it."""
        return fate_of(self.state)

    @property
    def waits(self) -> Kind | None:
        """What its reason to wait means; None if it does not wait."""
        return kind_of(self.reason) if self.state == "PENDING" else None


def fate_of(state: str) -> Fate:
    """Return what became of a job in a state; one that is not known here counts as alive."""
    if state == "COMPLETED":
        return "done"
    if state in TAKEN:
        return "taken"
    return "failed" if state in FAILED else "alive"


def ask_queue(
    clusters: str | None = None, limit_s: float = LIMIT_S
) -> tuple[list[Queued] | None, Answer]:
    """Return this user's jobs, and what squeue said; None if that is no answer.

    Ended ones too, as long as SLURM remembers, and those of partitions that are hidden from others.

    Args:
        clusters: where to ask, on sites with several.
        limit_s: seconds that the answer may take.
    """
    shown = ["--me", "--all", "--array", "--noheader", "--states=all", f"--format={FORMAT}"]
    answer = ask(["squeue", *shown, *on(clusters)], limit_s=limit_s)
    return (None if answer.output is None else list(read_queue(answer.output))), answer


def read_queue(text: str) -> Iterable[Queued]:
    """Yield the jobs of what squeue printed."""
    for record in text.split(RECORD)[1:]:
        fields = record.removesuffix("\n").split(FIELD, 6)
        if len(fields) != 7 or not fields[1].strip():
            continue  # not one of ours, whose fields are whole
        number, state, end, folder, mark, reason, name = fields
        held = state == "PENDING" and kind_of(reason) == "held"
        state = HELD if held else state.split()[0]
        yield Queued(number, state, _time(end), Path(folder), mark, reason, " ".join(name.split()))


def nodes_are_missing(partition: str | None, clusters: str | None = None) -> bool:
    """Whether some nodes of a partition are down: SLURM then calls possible jobs impossible."""
    states = "down,drain,fail,maint,no_respond,unknown,powering_up,reboot"
    # No `--partition`: sinfo refuses it together with `--all`.
    answer = ask(
        ["sinfo", "--all", "--noheader", f"--states={states}", "--format=%D %R", *on(clusters)]
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
    return ask(["scancel", *on(clusters), *numbers])


def ask_accounts(numbers: Sequence[str], clusters: str | None = None) -> dict[str, str] | None:
    """Return the states of jobs that accounting knows: none without accounting; None if it is away."""
    command = [
        "sacct",
        "--allocations",
        "--noheader",
        "--parsable2",
        "--format=JobID,State",
        *on(clusters),
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
    }  # not what SLURM lost in a crash, which accounting never hears of


def state_of(number: str, clusters: str | None = None) -> str | None:
    """Return the state of one job that squeue does not show; `GONE`, or None without an answer."""
    answer = ask(["scontrol", *on(clusters), "--oneliner", "show", "job", number])
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
    """Whether a job's log ends with all its steps done: for jobs that SLURM has forgotten."""
    return ALL_DONE.search(end_of(log)) is not None


def why(state: str, logs: Sequence[Path], mem_mb: object, results: Path) -> str:
    """Return in words why a job failed.

    Args:
        state: in which SLURM left it.
        logs: SLURM's own, and those of its rules.
        mem_mb: memory that it asked for.
        results: folder that it wrote to.
    """
    text = "".join(end_of(log) for log in logs)
    if full := full_disk(text, results, results.parent / ".snakemake"):
        return full
    if state == "OUT_OF_MEMORY" or NO_MEMORY.search(text):
        return (
            f"its memory ran out ({mem_mb} MB asked for; a retry asks for more, up to the site's limit)"
        )
    reasons = {
        "TIMEOUT": "its time limit came; a retry has more time, and training goes on where it was",
        "CANCELLED": "it was cancelled",
        "FAILED": "its command failed: the end of its log says why",
    }
    return reasons.get(state, f"SLURM says {state}")
