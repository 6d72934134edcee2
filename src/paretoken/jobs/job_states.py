"""The state of one job: done, running, queued, failed or missing, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from paretoken.io.progress import Progress, read_progress
from paretoken.io.text_tables import clock
from paretoken.jobs.signs_of_life import Signs, modified, tail
from paretoken.slurm.job_script import last_start
from paretoken.slurm.queue import HELD

StateName = Literal["done", "running", "queued", "failed", "missing"]
STATES: tuple[StateName, ...] = get_args(StateName)
#: States of unfinished jobs, in the order in which they need attention.
URGENCY: tuple[StateName, ...] = ("failed", "running", "queued", "missing")
#: Lines of a failed job's log that are shown, and that are searched for its last start.
SHOWN, SEARCHED = 5, 40


@dataclass(frozen=True)
class Job:
    """One run of a command.

    Attributes:
        result: the file that exists when it is done.
        out: the path that the command is given as ``--out``.
        log: log of its rule.
    """

    result: Path
    out: Path
    log: Path


@dataclass(frozen=True)
class State:
    """The state of a job.

    Attributes:
        state: done, running, queued, failed or missing.
        done: steps, questions or results that are done; None: not known.
        total: number of all of them.
        reason: why it is in this state.
        log: log of a failed or running job.
        last_lines: last lines of that log, for a failed job.
    """

    state: StateName
    done: int | None = None
    total: int | None = None
    reason: str = ""
    log: str = ""
    last_lines: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of the work that is done, 0 to 1; 0 if it is not known."""
        if self.state == "done":
            return 1.0
        return self.done / self.total if self.done is not None and self.total else 0.0

    def __str__(self) -> str:
        known = self.state != "done" and self.done is not None and self.total
        return f"{self.state} {self.done}/{self.total}" if known else self.state


def state_of(jobs: Sequence[Job], signs: Signs) -> State:
    """Return the state of a stage, from the results and progress files of its jobs, and SLURM's queue.

    A stage has one job, or one for each benchmark. The state of a job is

    - done: its result exists (the file that is written last and atomically).
    - running: its command renews its heartbeat, or SLURM runs it.
    - queued: SLURM has it, and has not started it.
    - failed: its command reports an error, or was killed (its heartbeats ended without a report), or it
      left a log and nothing else.
    - missing: it was not started, or was stopped and resumes when it is started again.
    """
    states = [_job_state(job, signs) for job in jobs]
    return states[0] if len(states) == 1 else together(states)


def together(states: Sequence[State]) -> State:
    """Return the state of several jobs as one: the most urgent state wins."""
    done = sum(state.state == "done" for state in states)
    for word in URGENCY:
        if found := next((state for state in states if state.state == word), None):
            return State(found.state, done, len(states), found.reason, found.log, found.last_lines)
    return State("done")


def _job_state(job: Job, signs: Signs) -> State:
    if job.result.exists():
        return State("done")
    said = read_progress(job.out)
    return _alive(job, said, signs) or _ended(job, said, signs)


def _alive(job: Job, said: Progress | None, signs: Signs) -> State | None:
    """Return the state of a command that runs or waits; None for one that does neither."""
    steps, log = _steps(said), _log(job)
    if said is not None and said.end is None and signs.alive(said):
        ago = clock(signs.now - said.heartbeat)
        return State("running", *steps, f"process {said.pid} on {said.host}, heartbeat {ago} ago", log)
    queued = signs.queued(job.result)
    if queued is not None and queued.state in ("PENDING", HELD):
        return State("queued", *steps, f"SLURM job {queued.number} waits: {queued.reason}", log)
    if queued is not None:
        return State("running", *steps, f"SLURM job {queued.number} is {queued.state}", log)
    logged = modified(job.log)
    if said is None and logged is not None and signs.fresh(logged):
        return State(
            "running", reason=f"starts: its log was written {clock(signs.now - logged)} ago", log=log
        )
    return None


def _ended(job: Job, said: Progress | None, signs: Signs) -> State:
    """Return the state of a command that does not run and whose result is missing."""
    if said is None:
        logged = modified(job.log)
        if logged is None:
            return State("missing")
        why, last = "its log exists, but its command did not start", logged
    elif said.end == "done":
        return State("missing", reason="it succeeded, but its result is missing", log=_log(job))
    elif said.end == "stopped":
        why = f"{said.error}; it resumes when it is started again"
        return State("missing", *_steps(said), why, _log(job))
    else:
        killed = f"its process, {said.pid} on {said.host}, was killed or is lost"
        why, last = said.error.partition("\n")[0] if said.end else killed, said.heartbeat
    lines = last_start("\n".join(tail(job.log, SEARCHED))).splitlines()
    why = f"{why}; {clock(signs.now - last)} ago"
    return State("failed", *_steps(said), why, _log(job), tuple(lines[-SHOWN:]))


def _steps(said: Progress | None) -> tuple[int | None, int | None]:
    return (None, None) if said is None else (said.step, said.of)


def _log(job: Job) -> str:
    return str(job.log) if job.log.exists() else ""
