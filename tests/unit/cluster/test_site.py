"""From what a rule asks for to what SLURM is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from paretoken.cluster.site import (
    GpuPartition,
    Limits,
    Partition,
    Site,
    Wish,
    described,
    read_site,
    request,
)
from paretoken.errors import UserError

ROOT = Path(__file__).parents[3]
GPUS = Site(
    account="lab",
    gpu=GpuPartition(partition="gpu", model="h100", constraint="nvlink", per_node=4),
    cpu=Partition(partition="cpu"),
    limits=Limits(mem_mb=500_000, runtime_min=1440),
)


def test_the_shipped_site_is_valid_and_has_every_key() -> None:
    path = ROOT / "profiles" / "slurm" / "site.yaml"
    site = read_site(path)
    assert yaml.safe_load(path.read_text()).keys() == Site.model_fields.keys()
    assert site.gpu.partition == "gpu"


def test_gpus_are_asked_for_per_node_and_memory_is_shared_out() -> None:
    asked = request(Wish(gpus=8, cpus=40, mem_mb=400_000, runtime_min=600), GPUS)
    assert (asked["nodes"], asked["gres"]) == (2, "gpu:h100:4")
    assert (asked["cpus_per_task"], asked["mem_mb"]) == (20, 200_000)
    assert (asked["slurm_partition"], asked["constraint"]) == ("gpu", "nvlink")


def test_jobs_without_gpus_go_elsewhere_and_ask_for_none() -> None:
    asked = request(Wish(gpus=0, cpus=2, mem_mb=4000, runtime_min=30), GPUS)
    assert (asked["slurm_partition"], asked["nodes"], asked["cpus_per_task"]) == ("cpu", 1, 2)
    assert "gres" not in asked
    assert "constraint" not in asked


def test_requests_grow_up_to_the_limits() -> None:
    asked = request(Wish(gpus=1, cpus=5, mem_mb=900_000, runtime_min=9000), GPUS)
    assert (asked["mem_mb"], asked["runtime"]) == (500_000, 1440)


@pytest.mark.parametrize(("runtime", "warned"), [(10, 150), (1440, 600)])
def test_the_warning_leaves_most_of_a_short_job(runtime: int, warned: int) -> None:
    asked = request(Wish(gpus=1, cpus=1, mem_mb=1, runtime_min=runtime), GPUS)
    assert f"--signal=USR1@{warned}" in str(asked["slurm_extra"])


def test_other_options_reach_sbatch() -> None:
    asked = request(Wish(0, 1, 1, 1), Site(options=["--qos=long run"]))
    assert "'--qos=long run'" in str(asked["slurm_extra"])
    assert "slurm_partition" not in asked, "the cluster's default"


def test_a_request_is_described_in_the_words_of_the_file() -> None:
    asked = request(Wish(gpus=4, cpus=20, mem_mb=1000, runtime_min=60), GPUS)
    assert described(asked, "lab") == (
        "account lab, partition gpu, nodes 1, GPUs per node gpu:h100:4, CPUs per node 20, "
        "MB per node 1000, minutes 60, constraint nvlink"
    )


def test_mistakes_are_listed_together(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("gpu: {partitions: a}\nlimits: {mem_mb: much}\n")
    with pytest.raises(UserError, match="is not a valid SLURM site") as raised:
        read_site(path)
    assert "partitions" in str(raised.value)
    assert "mem_mb" in str(raised.value)
