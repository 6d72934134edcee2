"""Without the stock SLURM executor, Snakemake starts as ever, and the profile says what is missing."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_paretoken_slurm import absent

PROFILE = Path(__file__).parents[3] / "profiles" / "slurm" / "config.yaml"


def test_it_says_what_to_install() -> None:
    with pytest.raises(WorkflowError, match="slurm]'"):
        absent.Executor(None, None)


def test_it_reads_the_settings_of_the_profile() -> None:
    prefix = "paretoken-slurm-"
    given = {
        key.removeprefix(prefix).replace("-", "_")
        for key in yaml.safe_load(PROFILE.read_text())
        if key.startswith(prefix)
    }
    assert given == {field.name for field in fields(absent.ExecutorSettings)}


def test_the_cluster_profile_keeps_what_makes_a_result_stale() -> None:
    default = yaml.safe_load((PROFILE.parents[1] / "default" / "config.yaml").read_text())
    cluster = yaml.safe_load(PROFILE.read_text())
    for key in ("rerun-triggers", "rerun-incomplete", "keep-going", "scheduler"):
        assert cluster[key] == default[key], key
