"""Snakemake's executor ``paretoken-slurm``: the stock SLURM executor with safeguards.

Snakemake imports every package with such a name at every start. Only clusters need the stock executor;
where it is not installed, a placeholder raises an error when it is used.
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("snakemake_executor_plugin_slurm") is None:
    from snakemake_executor_plugin_paretoken_slurm.absent import (
        Executor,
        ExecutorSettings,
        common_settings,
    )
else:
    from snakemake_executor_plugin_paretoken_slurm.executor import (
        Executor,
        ExecutorSettings,
        common_settings,
    )

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
