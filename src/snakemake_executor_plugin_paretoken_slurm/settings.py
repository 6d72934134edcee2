"""The executor settings in a profile."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from snakemake_executor_plugin_slurm import ExecutorSettings as StockSettings


@dataclass
class ExecutorSettings(StockSettings):  # type: ignore[misc]  # untyped
    """Settings of the stock executor, with defaults that suit every cluster, and two more.

    ``requeue`` is always set: with a cluster's own default, the stock executor would count a job as
    failed that SLURM starts again.
    """

    site: Optional[Path] = field(  # noqa: UP045  (Snakemake reads these types)
        default=None, metadata={"help": "The file of the SLURM site."}
    )
    poll_seconds: int = field(default=20, metadata={"help": "Seconds between queries to SLURM."})
    logdir: Optional[Path] = field(  # noqa: UP045
        default=Path("results", "slurm-logs"), metadata={"help": "Folder of SLURM's own logs."}
    )
    status_command: Optional[str] = field(  # noqa: UP045
        default="squeue", metadata={"help": "Ignored: squeue is used, and sacct for older jobs."}
    )

    def __post_init__(self) -> None:
        """Set ``requeue`` to the opposite of ``no_requeue``."""
        self.requeue = not self.no_requeue
        super().__post_init__()
