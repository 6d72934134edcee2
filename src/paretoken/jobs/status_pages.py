"""A study's status as a table for people, or as JSON."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

from paretoken.io.text_tables import aligned, clock, counted
from paretoken.jobs.job_states import State
from paretoken.jobs.study_status import CellStatus, StudyStatus

#: Characters of the progress bar.
BAR = 30


def as_json(status: StudyStatus) -> str:
    """Return the whole status as JSON."""
    content = {
        "study": status.study,
        "cells": [
            {**asdict(found.cell), "stages": {n: asdict(s) for n, s in found.stages.items()}}
            for found in status.cells
        ],
        "sources": {name: asdict(state) for name, state in status.sources.items()},
        "cells_by_stage": status.cells_by_stage(),
        "cells_by_state": status.cells_by_state(),
        "report": None if status.report is None else str(status.report),
        "remaining": None if status.remaining is None else asdict(status.remaining),
        "explanation": explanation(status),
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def as_text(status: StudyStatus) -> str:
    """Return the table of cells, the failed jobs with the last lines of their logs, and totals."""
    stages = list(status.cells[0].stages)
    header = ["llm", "compressor", "V", "seed", *stages]
    body = [_row(found) for found in status.cells]
    table = aligned(header, body, [False, False, True, True, *[False] * len(stages)])
    parts = [f"Study {status.study}", table, *_failures(status), _totals(status), overall(status)]
    return "\n\n".join([*parts, explanation(status)]) + "\n"


def overall(status: StudyStatus) -> str:
    """Return the numbers of cells by state, their expected end, and the path of the report."""
    words, of = status.cells_by_state(), len(status.cells)
    filled = BAR * words["done"] // of
    line = f"[{'#' * filled}{'.' * (BAR - filled)}] {words['done']} of {counted(of, 'cell')} done"
    for word, name in (
        ("running", "running"),
        ("queued", "queued"),
        ("failed", "failed"),
        ("missing", "left"),
    ):
        if words[word]:
            line += f", {words[word]} {name}"
    if status.remaining is not None:
        end = time.strftime("%H:%M", time.localtime(time.time() + status.remaining.seconds))
        line += f"; about {clock(status.remaining.seconds)} left, until {end}"
    if status.report is not None:
        line += f"\nreport: {status.report}" + ("" if status.finished else " (of an earlier run)")
    return line


def _row(found: CellStatus) -> list[str]:
    cell = found.cell
    coordinates = [cell.llm, cell.compressor, str(cell.tokens), str(cell.seed)]
    return [*coordinates, *(str(state) for state in found.stages.values())]


def _failures(status: StudyStatus) -> list[str]:
    """Return one paragraph per failed job; a source that several cells share is listed once."""
    failed = [(name, state) for name, state in status.sources.items() if state.state == "failed"]
    for found in status.cells:
        folder = found.cell.folder(status.study)
        for stage, state in found.stages.items():
            if state.state == "failed" and stage != "sources":
                failed.append((f"{folder} {stage}", state))
    return [_failure(name, state) for name, state in failed]


def _failure(name: str, state: State) -> str:
    lines = [f"failed: {name}: {state.reason}", *(f"  | {line}" for line in state.last_lines)]
    return "\n".join([*lines, f"  ({state.log})"] if state.log else lines)


def _totals(status: StudyStatus) -> str:
    lines = []
    for stage, words in status.cells_by_stage().items():
        shown = ", ".join(f"{count} {word}" for word, count in words.items() if count)
        lines.append(f"{stage}: {shown}")
    left = status.remaining
    if left is not None:
        lines.append(
            f"about {clock(left.seconds)} left with {counted(left.jobs, 'job')} at a time, "
            f"estimated from the {counted(left.finished, 'finished stage')} (scaled by planned FLOPs)"
        )
    return "\n".join(lines)


def explanation(status: StudyStatus) -> str:
    """Return an explanation of the states."""
    words = (
        "done: the file that is written last exists. running: the last heartbeat is younger than "
        f"{clock(status.quiet_s)}, or SLURM runs it. queued: SLURM has not started it. failed: it ended "
        "with an error, or its heartbeats ended. missing: not started, or stopped"
    )
    return f"{words}\nSLURM's queue is not known: {status.complaint}" if status.complaint else words
