"""What SLURM gave, where processes meet, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paretoken.errors import UserError
from paretoken.slurm import allocation as module
from paretoken.slurm.allocation import (
    FIRST_PORT,
    PORTS,
    RANK_LOGS,
    STEP,
    Allocation,
    allocation,
    require_gpus,
    step_line,
    torchrun,
)

GIVEN = {"SLURM_JOB_ID": "1234", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "20",
         "SLURM_GPUS_ON_NODE": "4", "SLURM_NODEID": "1"}  # fmt: skip
FOUND = Allocation(job=1234, nodes=2, node=1, gpus=4, cpus=20)


def test_outside_of_slurm_there_is_none() -> None:
    assert allocation({}) is None


def test_it_is_read_from_the_environment() -> None:
    assert allocation({**GIVEN, STEP: "1"}) == FOUND
    outside = allocation(GIVEN)
    assert outside is not None
    assert outside.node is None, "a job's script runs on its first node, outside of a step"
    devices = {"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": "0,3"}
    assert allocation(devices) == Allocation(1, 1, None, 2, 1)


@pytest.mark.parametrize("name", ["SLURM_JOB_ID", "SLURM_JOB_NUM_NODES", "SLURM_GPUS_ON_NODE"])
def test_invalid_environment_variables_are_named(name: str) -> None:
    with pytest.raises(UserError, match=f"{name}=two"):
        allocation({**GIVEN, name: "two"})


def test_a_step_has_one_task_on_each_node() -> None:
    line = step_line(FOUND, ["true"])
    assert line[0] == "srun"
    assert line[line.index("--ntasks") + 1] == line[line.index("--nodes") + 1] == "2"
    assert "--kill-on-bad-exit=1" in line


def test_jobs_meet_at_ports_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "first_address", lambda: "10.0.0.7")

    def port(job: int) -> int:
        line = torchrun(Allocation(job, 2, 0, 4, 1), 4, 2)
        assert line[line.index("--master-addr") + 1] == "10.0.0.7"
        return int(line[line.index("--master-port") + 1])

    assert port(1234) != port(1235)
    assert all(FIRST_PORT <= port(job) < FIRST_PORT + PORTS for job in (1, 99_999, 10**7))
    assert "--standalone" in torchrun(FOUND, 4, 1)
    assert "--standalone" in torchrun(None, 4, 1)


def test_the_node_must_have_what_was_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURMD_NODENAME", "gpu07")
    monkeypatch.delenv("PARETOKEN_DEVICE", raising=False)
    require_gpus(FOUND, 4, True, 4)
    with pytest.raises(UserError, match=r"node gpu07: 8 GPUs were requested and SLURM allocated 4"):
        require_gpus(FOUND, 8, True, 4)
    with pytest.raises(UserError, match=r"PyTorch finds 3.*exclude: .gpu07"):
        require_gpus(FOUND, 4, True, 3)
    with pytest.raises(UserError, match="no GPU driver"):
        require_gpus(FOUND, 4, False, 0)
    monkeypatch.setenv("PARETOKEN_DEVICE", "cpu")
    require_gpus(FOUND, 4, False, 0)


@pytest.mark.parametrize(("rank", "own"), [("0", False), ("3", True)])
def test_all_processes_but_the_first_have_a_log_of_their_own(
    tmp_path: Path, rank: str, own: bool
) -> None:
    code = "from paretoken.slurm.allocation import own_log; own_log(); print('said')"
    environment = {**os.environ, RANK_LOGS: str(tmp_path / "finetune"), "RANK": rank}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    log = tmp_path / f"finetune-rank{rank}.log"
    assert done.stdout == ("" if own else "said\n")
    assert log.exists() is own
    assert not own or log.read_text() == "said\n"


def test_the_log_of_a_process_is_not_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "finetune-rank3.log").symlink_to(victim)
    environment = {**os.environ, RANK_LOGS: str(tmp_path / "finetune"), "RANK": "3"}
    code = "from paretoken.slurm.allocation import own_log; own_log(); print('said')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode
    assert "finetune-rank3.log is a link; remove it" in done.stderr
    assert victim.read_text() == "precious"
