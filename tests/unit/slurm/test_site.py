"""From what a rule asks for to what SLURM is asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from paretoken.errors import UserError
from paretoken.slurm.site import (
    GpuPartition,
    Limits,
    Partition,
    Requirements,
    Site,
    described,
    read_site,
    request,
    require_free_options,
)

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


def test_gpus_are_requested_per_node_and_memory_is_divided() -> None:
    asked = request(Requirements(gpus=8, cpus=40, mem_mb=400_000, runtime_min=600), GPUS)
    assert (asked["nodes"], asked["node_gres"]) == (2, "gpu:h100:4")
    assert (asked["cpus_per_task"], asked["mem_mb"]) == (20, 200_000)
    assert (asked["slurm_partition"], asked["constraint"]) == ("gpu", "nvlink")


def test_jobs_without_gpus_go_to_the_cpu_partition_and_request_none() -> None:
    asked = request(Requirements(gpus=0, cpus=2, mem_mb=4000, runtime_min=30), GPUS)
    assert (asked["slurm_partition"], asked["nodes"], asked["cpus_per_task"]) == ("cpu", 1, 2)
    assert "node_gres" not in asked
    assert "constraint" not in asked


def test_requests_grow_up_to_the_limits() -> None:
    asked = request(Requirements(gpus=1, cpus=5, mem_mb=900_000, runtime_min=9000), GPUS)
    assert (asked["mem_mb"], asked["runtime"]) == (500_000, 1440)


@pytest.mark.parametrize(("runtime", "warned"), [(10, 150), (1440, 600)])
def test_the_warning_leaves_most_of_a_short_job(runtime: int, warned: int) -> None:
    asked = request(Requirements(gpus=1, cpus=1, mem_mb=1, runtime_min=runtime), GPUS)
    assert f"--signal=USR1@{warned}" in str(asked["slurm_extra"])


def test_other_options_reach_sbatch() -> None:
    asked = request(Requirements(0, 1, 1, 1), Site(options=["--mail-type=FAIL", "--licenses=long run"]))
    assert "--mail-type=FAIL '--licenses=long run'" in str(asked["slurm_extra"])
    assert "slurm_partition" not in asked, "the cluster's default"


def test_keys_of_the_site_are_requested() -> None:
    site = Site(qos="long", reservation="course", clusters="b", exclude=["g1", "g2"], nice=100,
                mem_per_cpu=True, gpu=GpuPartition(qos="gpu-long"))  # fmt: skip
    asked = request(Requirements(gpus=2, cpus=8, mem_mb=9001, runtime_min=60), site)
    assert (asked["qos"], asked["clusters"], asked["mem_mb_per_cpu"]) == ("gpu-long", "b", 1126)
    for option in ("--reservation=course", "--exclude=g1,g2", "--nice=100"):
        assert option in str(asked["slurm_extra"]).split()
    assert request(Requirements(0, 1, 1, 1), site)["qos"] == "long"
    assert "--nice" not in str(request(Requirements(0, 1, 1, 1), Site())["slurm_extra"])


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("--qos=normal", "use qos"), ("-q long", "use qos"), ("--partition=a", "use gpu.partition"),
        ("--account=x", "use account"), ("--exclude=g1", "use exclude"), ("-x g1", "use exclude"),
        ("--nice=5", "use nice"), ("--mem=4G", "use limits.mem_mb"), ("--mem-per-cpu=1G", "mem_per_cpu"),
        ("--time=10", "use limits.runtime_min"), ("-t10", "use limits.runtime_min"),
        ("--gres=gpu:1", "the driver itself"), ("--gre=gpu:1", "the driver itself"),
        ("--output=a", "the driver itself"), ("--signal=USR2", "use warn_s"),
        ("--clusters=b", "use clusters"), ("long", "must be written as --name=value"), ("", "is empty"),
        ("-- x", "must be written as --name=value"),
    ],
)  # fmt: skip
def test_options_with_a_key_or_an_owner_are_refused_at_once(option: str, instead: str) -> None:
    """The stock executor refuses most of them too, but at every submission."""
    with pytest.raises(ValidationError, match=instead):
        Site(options=[option])


def test_no_option_that_the_stock_executor_refuses_passes() -> None:
    validation = pytest.importorskip("snakemake_executor_plugin_slurm.validation")
    for pattern in validation.get_forbidden_slurm_options():
        for option in re.findall(r"--[a-z-]+|-[A-Za-z](?=\\s)", pattern):
            with pytest.raises(ValidationError):
                Site(options=[f"{option}=1" if option.startswith("--") else f"{option} 1"])


def test_a_request_is_described_in_the_words_of_the_file() -> None:
    asked = request(Requirements(gpus=4, cpus=20, mem_mb=1000, runtime_min=60), GPUS)
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


@pytest.mark.parametrize(
    "text", ["--comm=mine", "--part=x", "-p x", "-HJ x", "--wra=true", "--gres=gpu:2", "--exclude gpu1",
             "word", "--version", "--nice=1 --time=5", "'"],
)  # fmt: skip
def test_a_rule_cannot_request_what_is_requested_elsewhere(text: str) -> None:
    with pytest.raises(UserError, match="slurm_extra"):
        require_free_options(text)


@pytest.mark.parametrize("text", ["", "--nice=5", "--exclude=a,b --mail-type=FAIL", "--licenses='a b'"])
def test_a_rule_may_add_other_options(text: str) -> None:
    require_free_options(text)
