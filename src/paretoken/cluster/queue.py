"""What SLURM says about jobs, and what follows from it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

Fate = Literal["alive", "done", "failed", "taken"]

#: Not a state of SLURM's: pending, but held by SLURM itself, so that only a person can let it go on.
HELD = "HELD"
#: States after which SLURM starts a job again if it may; if it may not, the job was taken from us.
TAKEN = {"BOOT_FAIL", HELD, "NODE_FAIL", "PREEMPTED"}
#: Why SLURM holds a job: starting it failed, or it was started again too often.
HELD_BECAUSE = {"launch failed requeued held", "launch_failed_requeued_held", "JobHoldMaxRequeue"}
FAILED = {"CANCELLED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "REVOKED", "SPECIAL_EXIT", "TIMEOUT"}
FORMAT = "%i|%T|%e|%Z|%k|%r|%j"
#: Reasons to wait that time does not mend: sites may accept jobs that their partitions never run.
HOPELESS = {
    "AccountNotAllowed", "BadConstraints", "InvalidAccount", "InvalidQOS", "PartitionNodeLimit",
    "PartitionTimeLimit", "QOSNotAllowed",
}  # fmt: skip
#: How a log tells that memory ran out: of a cgroup's event, and of SLURM's own accounting.
NO_MEMORY = re.compile(r"oom[-_ ]?kill|out of memory|[Ee]xceeded (job|step) memory limit", re.IGNORECASE)
#: What sbatch says when a later attempt may be taken.
LATER = re.compile(
    r"Unable to contact slurm|Socket timed out|Connection (refused|reset|timed out)|"
    r"temporarily (unavailable|unable)|MaxSubmitJob|try again|Slurm backup controller in standby|"
    r"communication connection failure|Zero Bytes were transmitted|Transport endpoint",
    re.IGNORECASE,
)
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
    def hopeless(self) -> bool:
        """Whether it waits for what never comes."""
        return self.state == "PENDING" and self.reason in HOPELESS


def fate_of(state: str) -> Fate:
    """Return what became of a job in a state; one that is not known here counts as alive."""
    if state == "COMPLETED":
        return "done"
    if state in TAKEN:
        return "taken"
    return "failed" if state in FAILED else "alive"


def ask_queue() -> list[Queued] | None:
    """Return this user's jobs, ended ones too as long as SLURM remembers; None if it does not answer."""
    command = ["squeue", "--me", "--array", "--noheader", "--states=all", f"--format={FORMAT}"]
    answer = _answer(command)
    return None if answer is None else list(read_queue(answer))


def read_queue(text: str) -> Iterable[Queued]:
    """Yield the jobs of what squeue printed."""
    for line in text.splitlines():
        number, state, end, folder, mark, reason, name = line.split("|", 6)
        held = state == "PENDING" and reason in HELD_BECAUSE
        state = HELD if held else state.split()[0]
        yield Queued(number, state, _time(end), Path(folder), mark, reason, name)


def nodes_are_missing(partition: str | None) -> bool:
    """Whether some nodes of a partition are down: SLURM then calls possible jobs impossible."""
    command = ["sinfo", "--noheader", "--states=down,drain,fail,maint", "--format=%D"]
    answer = _answer([*command, *([f"--partition={partition}"] if partition else [])])
    return answer is None or bool(answer.strip())


def cancel(number: str) -> None:
    """Cancel a job."""
    _answer(["scancel", number])


def ask_accounts(numbers: Sequence[str]) -> dict[str, str]:
    """Return the states of jobs that accounting knows; none where there is no accounting."""
    command = ["sacct", "--allocations", "--noheader", "--parsable2", "--format=JobID,State"]
    answer = _answer([*command, f"--jobs={','.join(numbers)}"])
    pairs = [line.split("|", 1) for line in (answer or "").splitlines() if "|" in line]
    return {number: state.split()[0] for number, state in pairs if state.strip()}


def _answer(command: Sequence[str], limit_s: float = 60) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=True)
    except (subprocess.SubprocessError, OSError):
        return None
    return done.stdout


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # N/A: not known yet
        return None


def says_done(log: Path) -> bool:
    """Whether a job's log ends with all its steps done: for jobs that SLURM has forgotten."""
    try:
        return ALL_DONE.search(log.read_text(errors="replace")) is not None
    except OSError:
        return False


def why(state: str, log: Path, mem_mb: object) -> str:
    """Return in words why a job failed."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        text = ""
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
