"""Snakemake's executor ``paretoken-slurm``: the stock SLURM executor, guarded.

Snakemake imports every package with such a name at every start. Where the stock executor is not
installed, which only a cluster needs, this one is known but says so when it is used.
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
