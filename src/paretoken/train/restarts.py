"""Whether a training job that SLURM starts again and again makes progress."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.files import write_text

#: Beside a stage's result: job, start of it, and step at which it began, for each start.
STARTS = "starts.tsv"
#: So many starts in a row of one job at the same step are no progress.
ENOUGH = 3


def require_progress(out: Path, step: int, environment: Mapping[str, str] = os.environ) -> None:
    """Note a start of a SLURM job; outside of SLURM nothing is noted.

    A time limit, or a time between preemptions, that is shorter than what it takes to start and reach a
    checkpoint lets SLURM start a job without end. Another job, of a retry with more time, begins anew.

    Args:
        out: folder of the stage.
        step: at which this start begins.
        environment: of this process.

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
            "before the next checkpoint; this one would, too. Give the job more time (`limits` of the "
            "site's file, or `set-resources` in the profile), write checkpoints more often "
            "(`save_every` of the recipe), have it warned earlier (`warn_s` of the site's file), or use "
            "a partition whose jobs are preempted less often"
        )
    lines = ["\t".join(words) for words in [*own, [job, start, str(step)]]]
    write_text(path, "\n".join(lines) + "\n")
