"""Stopping a training job that SLURM restarts repeatedly without progress."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.files import write_text

#: File beside a stage's result: a line per start with job id, restart count and first step.
STARTS = "starts.tsv"
#: After this many starts in a row of one job at the same step, the next one is an error.
ENOUGH = 3


def require_progress(out: Path, step: int, environment: Mapping[str, str] = os.environ) -> None:
    """Record a start of a SLURM job, and require that earlier starts made progress.

    If a job's time limit, or the time between preemptions, is too short to reach a checkpoint, SLURM
    restarts the job endlessly. Starts are counted per job, so a retry with more time begins at zero.
    Outside of SLURM nothing is recorded.

    Args:
        out: folder of the stage.
        step: the first step of this start.
        environment: environment variables of this process.

    Raises:
        UserError: the job was started `ENOUGH` times before at the same step.
    """
    job = environment.get("SLURM_JOB_ID")
    if not job:
        return
    path = out / STARTS
    try:
        before = [
            line.split("\t") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
    except OSError:
        before = []
    start = environment.get("SLURM_RESTART_COUNT") or "0"
    own = [words for words in before if words[:1] == [job] and words[1:2] != [start]]
    if [words[-1] for words in own[-ENOUGH:]] == [str(step)] * ENOUGH:
        raise UserError(
            f"{out}: {ENOUGH} starts of SLURM job {job} in a row have begun at step {step} and ended "
            "before the next checkpoint; this one would, too. Give the job more time (`limits` of "
            "the site's file, or `set-resources` in the profile), write checkpoints more often "
            "(`save_every` of the recipe), have it warned earlier (`warn_s` of the site's file), or use "
            "a partition whose jobs are preempted less often"
        )
    lines = ["\t".join(words) for words in [*own, [job, start, str(step)]]]
    write_text(path, "\n".join(lines) + "\n")
