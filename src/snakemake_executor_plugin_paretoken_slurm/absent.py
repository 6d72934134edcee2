"""Placeholder for the executor where Snakemake's SLURM executor is not installed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import AbstractExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

common_settings = CommonSettings(
    non_local_exec=True, implies_no_shared_fs=False, job_deploy_sources=False
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]  # untyped
    """The executor settings in the profile."""

    site: Optional[Path] = field(  # noqa: UP045  (Snakemake reads these types)
        default=None, metadata={"help": "The file of the SLURM site."}
    )
    poll_seconds: int = field(default=20, metadata={"help": "Seconds between queries to SLURM."})


class Executor(AbstractExecutor):  # type: ignore[misc]  # untyped
    """A placeholder that raises an error when it is used."""

    def __new__(cls, workflow: Any, logger: Any) -> "Executor":
        """Raise an error that says what to install."""
        raise WorkflowError(
            "The SLURM executor is not installed; on a cluster, run: "
            "pip install -c constraints.txt -e '.[train,slurm]'"
        )
