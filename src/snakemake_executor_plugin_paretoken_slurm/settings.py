"""The settings that a profile gives the executor."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from snakemake_executor_plugin_slurm import ExecutorSettings as StockSettings


@dataclass
class ExecutorSettings(StockSettings):  # type: ignore[misc]  # untyped
    """Settings of the stock executor, with defaults that hold on every cluster, and two more.

    ``requeue`` is said in either case: with a cluster's own default the stock executor takes a job for
    failed that SLURM starts again.
    """

    site: Optional[Path] = field(  # noqa: UP045  (Snakemake reads these types)
        default=None, metadata={"help": "The file of the SLURM site."}
    )
    poll_seconds: int = field(default=20, metadata={"help": "Seconds between questions to SLURM."})
    logdir: Optional[Path] = field(  # noqa: UP045
        default=Path("results", "slurm-logs"), metadata={"help": "Folder of SLURM's own logs."}
    )
    status_command: Optional[str] = field(  # noqa: UP045
        default="squeue", metadata={"help": "squeue, whatever this says; sacct for what it forgot."}
    )

    def __post_init__(self) -> None:
        """Say one of the two about being started again."""
        self.requeue = not self.no_requeue
        super().__post_init__()
