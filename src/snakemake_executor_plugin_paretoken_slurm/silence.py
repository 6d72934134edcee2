"""Handling queries that squeue does not answer: the driver waits, or ends if waiting cannot help."""

from __future__ import annotations

import time
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from paretoken.slurm.programs import Answer

#: How often a permanent error must occur, and how many seconds an unknown one must last, to end the run.
TIMES, UNKNOWN_S = 3, 600.0


class Silence:
    """The consecutive queries that squeue did not answer."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._said, self._times, self._since = "", 0, 0.0

    def note(self, answer: Answer) -> None:
        """Record the result of a query.

        Raises:
            WorkflowError: squeue cannot be queried, and waiting would not help.
        """
        if answer.output is not None:
            self._said, self._times = "", 0
            return
        if not self._times:
            self._since = time.monotonic()
        self._times += 1
        if answer.complaint != self._said:
            self._logger.warning(
                "SLURM does not answer: its jobs count as running, and it is queried again. "
                f"{answer.complaint}"
            )
        self._said = answer.complaint
        lasting = not answer.temporary and time.monotonic() - self._since > UNKNOWN_S
        if (answer.hopeless and self._times >= TIMES) or lasting:
            raise WorkflowError(
                f"SLURM cannot be queried about its jobs: {answer.complaint}\n"
                "This run ends here; its jobs continue. Once squeue works, the same command follows "
                "them."
            )
