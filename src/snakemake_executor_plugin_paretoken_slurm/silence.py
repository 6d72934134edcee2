"""What a driver does while squeue does not answer: waits, or ends if there never will be an answer."""

from __future__ import annotations

import time
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from paretoken.slurm.programs import Answer

#: How often a refusal that no time changes must come, and how long one whose meaning is not known.
TIMES, UNKNOWN_S = 3, 600.0


class Silence:
    """Questions that squeue did not answer, one after the other."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._said, self._times, self._since = "", 0, 0.0

    def note(self, answer: Answer) -> None:
        """Take note of an answer, or of none.

        Raises:
            WorkflowError: squeue cannot be asked, and waiting does not change that.
        """
        if answer.output is not None:
            self._said, self._times = "", 0
            return
        if not self._times:
            self._since = time.monotonic()
        self._times += 1
        if answer.complaint != self._said:
            self._logger.warning(
                "SLURM does not answer: its jobs count as running, and it is asked again. "
                f"{answer.complaint}"
            )
        self._said = answer.complaint
        lasting = not answer.temporary and time.monotonic() - self._since > UNKNOWN_S
        if (answer.hopeless and self._times >= TIMES) or lasting:
            raise WorkflowError(
                f"SLURM cannot be asked what became of its jobs: {answer.complaint}\n"
                "This run ends here; its jobs go on. Once squeue works, the same command follows them."
            )
