"""Ownership of a job's results on a cluster: only the latest start of the job may write them.

SLURM can lose a node while processes on it still run. SLURM, or the driver, then starts the job again
elsewhere, and two jobs would write to the same files. Each start therefore puts a token of its own into
a file (see `paretoken.slurm.job_script`), and each writer of a result compares the token just before
the result takes its name: a fencing token, as in M. Kleppmann, "How to do distributed locking" (2016).
The microseconds between the comparison and the rename are not covered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from paretoken.errors import UserError

#: Environment variable of a job's processes: the token and the files that name the owner, one per line.
OWNER = "PARETOKEN_OWNER"
#: Attempts to read a file before it counts as unreadable, and seconds between them.
ATTEMPTS, PAUSE_S = 3, 1.0


def require_ownership(result: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Check that no later start of this job owns its results; outside of a cluster nothing is checked.

    Args:
        result: the file that is about to be written, for the message.
        environment: environment variables of this process.

    Raises:
        UserError: a later start owns them; the results of this process are to be discarded.
    """
    token, *files = _lines(environment)
    for owner in map(_owner, files):
        if owner not in (None, token):
            raise UserError(
                f"{result} is not written: SLURM has started this job again (as {_described(owner)}; "
                f"this is {_described(token)}), and the results are those of the later start"
            )


def own_token(environment: Mapping[str, str] = os.environ) -> str:
    """Return the token that identifies this start of a job; empty outside of a cluster."""
    return _lines(environment)[0]


def _lines(environment: Mapping[str, str]) -> list[str]:
    return environment.get(OWNER, "").split("\n")


def _owner(file: str) -> str | None:
    """Return the token in a file; None if the file was removed, since then there is no later start."""
    for _ in range(ATTEMPTS):
        try:
            return Path(file).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:  # network file systems can fail for a moment
            problem = error
            time.sleep(PAUSE_S)
    raise UserError(f"{file}, which names the owner of a job's results, cannot be read: {problem}")


def _described(token: str | None) -> str:
    job, restarts, host = (*str(token).split(".", 2), "", "")[:3]
    return f"job {job}, restart {restarts}, on {host}"
