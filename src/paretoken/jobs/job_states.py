"""The state of one job: done, running, failed or missing, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from paretoken.errors import UserError
from paretoken.io.files import read_json
from paretoken.io.text_tables import clock
from paretoken.jobs.signs_of_life import ENDED_WELL, Signs, progress_in, tail, written
from paretoken.slurm.job_script import last_start

Word = Literal["done", "running", "failed", "missing"]
WORDS: tuple[Word, ...] = get_args(Word)
#: Lines of a failed job's log that are shown, and that are searched for an error: what launches several
#: processes prints a long box after the error of one of them.
SHOWN, SEARCHED = 5, 40
#: What reading a number from a record raises that is missing, damaged or of another program.
UNUSABLE = (UserError, ValueError, OverflowError, KeyError, IndexError, TypeError)


@dataclass(frozen=True)
class Job:
    """What a rule writes.

    Attributes:
        name: how pages call it.
        results: files that are there when it is done.
        logs: of the job (or jobs, if each result has one of its own).
        outs: what its command is given as ``--out``.
        checkpoints: folder of its checkpoints, if it has any.
    """

    name: str
    results: Sequence[Path]
    logs: Sequence[Path]
    outs: Sequence[Path] = ()
    checkpoints: Path | None = None


@dataclass(frozen=True)
class State:
    """Where a job stands.

    Attributes:
        word: done, running, failed or missing.
        done: steps, questions or results that are done; None: not known.
        of: how many there are.
        why: what the word rests on.
        log: of a failed or running job.
        last_lines: of that log, for a failed job.
    """

    word: Word
    done: int | None = None
    of: int | None = None
    why: str = ""
    log: str = ""
    last_lines: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of the work that is done, as far as it is known."""
        if self.word == "done":
            return 1.0
        return self.done / self.of if self.done is not None and self.of else 0.0

    def __str__(self) -> str:
        known = self.word != "done" and self.done is not None and self.of
        return f"{self.word} {self.done}/{self.of}" if known else self.word


def state_of(job: Job, signs: Signs) -> State:
    """Decide where a job stands.

    - done: all its results are there (the file that is written last and atomically).
    - running: a process of this machine writes it; or its log or checkpoints changed lately, and the
      log does not end as a finished job's does. "Lately" is `Signs.quiet_s`: a killed job is believed
      to be running for so long and no longer.
    - failed: it left traces, but is neither done nor running.
    - missing: it left no traces, or only those of a result that was removed.
    """
    there = sum(path.exists() for path in job.results)
    if there == len(job.results):
        return State("done")
    several = len(job.results) > 1 and there
    log = _unfinished_log(job)
    lines = last_start("\n".join(tail(log, SEARCHED))).splitlines() if log else []
    done, of = (there, len(job.results)) if several else _steps(job, lines)
    name = str(log) if log else ""
    if signs.process([*job.outs, *job.results]):
        return State("running", done, of, "a process of this machine writes it", name)
    traces = [*([log] if log else []), *_checkpoint_files(job.checkpoints)]
    last = written(traces)
    if last is None:
        return State("missing", done, of, "some of its results are there" if several else "")
    ago = f"last written {clock(signs.now - last)} ago"
    if lines and ENDED_WELL.search(lines[-1]):
        return State("missing", done, of, "its log ends well, but the result is not there", name)
    if signs.fresh(last) and not _says_error(lines):
        return State("running", done, of, f"{ago}; no process on this machine", name)
    reason = "ended with an error" if _says_error(lines) else "stopped without an error (killed?)"
    return State("failed", done, of, f"{reason}; {ago}", name, tuple(lines[-SHOWN:]))


def together(states: Sequence[State]) -> State:
    """Return the state of several jobs as one: what needs attention first wins."""
    done = sum(state.word == "done" for state in states)
    for word in ("failed", "running", "missing"):
        if found := next((state for state in states if state.word == word), None):
            return State(found.word, done, len(states), found.why, found.log, found.last_lines)
    return State("done")


def _unfinished_log(job: Job) -> Path | None:
    """Return the newest log of a job; of jobs with a log per result, of those that are not done."""
    paired = len(job.logs) == len(job.results)
    logs = [
        log
        for number, log in enumerate(job.logs)
        if log.exists() and not (paired and job.results[number].exists())
    ]
    return max(logs, key=lambda log: log.stat().st_mtime, default=None)


def _says_error(lines: Sequence[str]) -> bool:
    """Whether an error was told after the last step: by this project, a traceback or SLURM."""
    steps = [number for number, line in enumerate(lines) if progress_in([line])]
    return any(_is_error(line) for line in lines[steps[-1] + 1 if steps else 0 :])


def _is_error(line: str) -> bool:
    if line.startswith(("paretoken ", "slurmstepd: error", "Traceback (most recent call last)")):
        return ": " in line or line.startswith("Traceback")
    kind = line.split(":", 1)[0].rsplit(".", 1)[-1]
    return kind.endswith(("Error", "Exception", "Interrupt")) and " " not in kind


def _checkpoint_files(folder: Path | None) -> list[Path]:
    return [] if folder is None or not folder.is_dir() else [folder, *folder.iterdir()]


def _steps(job: Job, lines: Sequence[str]) -> tuple[int | None, int | None]:
    """Return steps done and in all: what the log says last, or the newest checkpoint if it is later."""
    logged = progress_in(lines)
    saved = _saved(job.checkpoints)
    if logged and saved:
        return max(logged[0], saved[0]), logged[1]
    return logged or saved or (None, None)


def _saved(folder: Path | None) -> tuple[int, int | None] | None:
    """Return the step of the newest whole checkpoint, and how many there are, if it says so."""
    newest: tuple[int, int | None] | None = None
    for path in [] if folder is None else folder.glob("checkpoint-*"):
        try:
            step = int(read_json(path / "manifest.json")["step"])
        except UNUSABLE:
            continue
        if newest is None or step > newest[0]:
            newest = step, _planned_steps(path)
    return newest


def _planned_steps(checkpoint: Path) -> int | None:
    try:
        return int(read_json(checkpoint / "trainer_state.json")["max_steps"])
    except UNUSABLE:
        return None
