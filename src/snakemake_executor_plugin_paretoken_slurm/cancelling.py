"""Cancelling the jobs of a driver, also while SLURM does not answer, and listing those that remain."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from paretoken.slurm.programs import cluster_option
from paretoken.slurm.queue import Queued, ask_queue, cancel

#: Seconds for which cancelling is attempted, and between attempts.
CANCEL_S, PAUSE_S = 120.0, 2.0


@contextlib.contextmanager
def interrupts_noted(logger: Any) -> Iterator[threading.Event]:
    """Make Ctrl-C set an event during the block, instead of raising `KeyboardInterrupt`."""
    hurry = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        if not hurry.is_set():
            logger.warning(
                "Interrupted again: jobs are cancelled in one more attempt, and then this run ends."
            )
        hurry.set()

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not in the main thread, which alone is interrupted
        yield hurry
        return
    try:
        yield hurry
    finally:
        signal.signal(signal.SIGINT, before)


def cancel_all(
    jobs: Mapping[str, str], launch: Path, clusters: str | None, hurry: threading.Event, logger: Any
) -> None:
    """Cancel jobs until SLURM shows none of them alive, or for `CANCEL_S`; log those that remain.

    Args:
        jobs: names of jobs by their numbers.
        launch: working directory of this start's jobs. It may not know all of them: a submission may
            have been accepted although the answer was lost.
        clusters: the cluster of the jobs, on sites with several.
        hurry: set when the user does not want to wait.
        logger: Snakemake's logger.
    """
    left, end, said = dict(jobs), time.monotonic() + CANCEL_S, ""
    if jobs:
        cancel(list(jobs), clusters)  # also jobs that squeue does not show
    while True:
        queue, answer = ask_queue(clusters)
        if queue is not None:
            left = {j.number: j.name for j in _alive(queue) if j.number in jobs or j.folder == launch}
        if not left:
            return
        refused = cancel(list(left), clusters)
        problem = answer.complaint or refused.complaint
        if problem != said and problem:
            logger.warning(f"Jobs cannot be cancelled yet: {problem}. Trying again.")
        said = problem or said
        if hurry.is_set() or time.monotonic() > end:
            break
        hurry.wait(PAUSE_S if problem else PAUSE_S / 10)
    queue, _ = ask_queue(clusters)
    if queue is not None:
        left = {job.number: job.name for job in _alive(queue) if job.number in left}
    if left:
        listed = "\n".join(f"  {number} ({name})" for number, name in left.items())
        where = " ".join(["", *cluster_option(clusters)])
        logger.error(
            f"These jobs were not cancelled and may continue:\n{listed}\n"
            f"When SLURM answers, cancel them: scancel{where} {' '.join(left)}\n"
            "Or start the same command again: it follows them."
        )


def _alive(queue: Iterable[Queued]) -> list[Queued]:
    return [job for job in queue if job.fate == "alive" and job.state != "COMPLETING"]
