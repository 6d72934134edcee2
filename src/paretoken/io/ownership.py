"""Who may write a job's results on a cluster: its latest start; what an earlier one writes is discarded.

A node can be lost to SLURM while processes on it live. SLURM, or the driver, then starts the job again
elsewhere, and two jobs would write to the same files. Each start therefore puts a token of its own into
a file (see `paretoken.slurm.job_script`), and whatever writes a result compares it just before the
result takes its name: a fencing token, as in M. Kleppmann, "How to do distributed locking" (2016). What
happens between the comparison and the rename, microseconds later, is not covered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from paretoken.errors import UserError

#: Environment variable of a job's processes: the token, and the files that name the owner, by lines.
OWNER = "PARETOKEN_OWNER"
#: How often a file is read before it counts as unreadable, and seconds between.
ATTEMPTS, PAUSE_S = 3, 1.0


def require_ownership(result: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Check that no later start of this job owns its results; outside of a cluster nothing is checked.

    Args:
        result: what is about to be written, for the message.
        environment: of this process.

    Raises:
        UserError: a later start does; what this process has made is to be discarded.
    """
    token, *files = _lines(environment)
    for owner in map(_owner, files):
        if owner not in (None, token):
            raise UserError(
                f"{result} is not written: SLURM has started this job again (as {_words(owner)}; this "
                f"is {_words(token)}), and the results are those of the later start"
            )


def own_token(environment: Mapping[str, str] = os.environ) -> str:
    """Return what tells this start of a job from others; empty outside of a cluster."""
    return _lines(environment)[0]


def _lines(environment: Mapping[str, str]) -> list[str]:
    return environment.get(OWNER, "").split("\n")


def _owner(file: str) -> str | None:
    """Return who is named; nobody if the project's records were removed: nobody else has started."""
    for _ in range(ATTEMPTS):
        try:
            return Path(file).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:  # a network file system that stumbles
            problem = error
            time.sleep(PAUSE_S)
    raise UserError(f"{file} cannot be read, which says who owns a job's results: {problem}")


def _words(token: str | None) -> str:
    job, restarts, host = (*str(token).split(".", 2), "", "")[:3]
    return f"job {job}, restart {restarts}, on {host}"
