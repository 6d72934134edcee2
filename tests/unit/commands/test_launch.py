"""One process per GPU, and no launcher where one process is enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paretoken.commands import launch
from paretoken.errors import UserError
from paretoken.train.checkpoints import CHECKPOINTS
from paretoken.train.shortage import note_shortage

TRAIN = ["train", "--stage", "pretrain"]


def test_one_process_needs_no_launcher() -> None:
    for processes in (0, 1):
        assert launch.launch_line(TRAIN, processes) == [sys.executable, "-m", "paretoken", *TRAIN]


def test_several_processes_are_started_by_torchrun() -> None:
    line = launch.launch_line(TRAIN, 3)
    assert line[1:3] == ["-m", "torch.distributed.run"]
    assert line[line.index("--nproc-per-node") + 1] == "3"
    assert line[-len(TRAIN) - 2 :] == ["-m", "paretoken", *TRAIN]


@pytest.mark.parametrize(("wanted", "there", "started"), [(4, 2, 2), (2, 8, 2), (4, 0, 1), (1, 8, 1)])
def test_there_are_never_more_processes_than_gpus(
    monkeypatch: pytest.MonkeyPatch, wanted: int, there: int, started: int
) -> None:
    executed: list[list[str]] = []
    here: list[list[str]] = []

    def run_together(line: list[str]) -> int:
        executed.append(line)
        return 5

    def main(line: list[str]) -> int:
        here.append(line)
        return 5

    monkeypatch.setattr(launch, "gpus_here", lambda: there)
    monkeypatch.setattr(launch, "run_together", run_together)
    monkeypatch.setattr(launch, "main", main)
    code = _launch("--gpus", str(wanted), "--", *TRAIN)
    assert code == 5
    if started == 1:
        assert (here, executed) == ([TRAIN], []), "this process"
    else:
        assert (here, executed) == ([], [launch.launch_line(TRAIN, started)])


def test_a_job_without_a_gpu_is_this_process_even_inside_slurm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here: list[list[str]] = []
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", "1")
    monkeypatch.setattr(launch.os, "execv", lambda *_: pytest.fail("another process"))
    monkeypatch.setattr(launch.subprocess, "run", lambda *_, **__: pytest.fail("a step"))

    def main(line: list[str]) -> int:
        here.append(line)
        return 0

    monkeypatch.setattr(launch, "main", main)
    assert _launch("--gpus", "0", "--", *TRAIN) == 0
    assert here == [TRAIN]


def test_without_a_driver_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "DRIVERS", ("/dev/absent",))
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it would fail
    assert launch.gpus_here() == 0


def test_a_launched_command_is_the_command(tmp_path: Path) -> None:
    missing = str(tmp_path / "absent.yaml")
    line = ["-m", "paretoken", "launch", "--gpus", "1", "--", "check", "--config", missing]
    done = subprocess.run([sys.executable, *line], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"paretoken check: {missing}" in done.stderr


@pytest.mark.slow
def test_two_processes_both_run(tmp_path: Path) -> None:
    written = tmp_path / "schema.json"
    line = launch.launch_line(["check", "--write-schema", str(written)], 2)
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert written.stat().st_size > 1000


def _launch(*arguments: str) -> int:
    from paretoken.cli import build_parser

    return launch.run(build_parser("launch").parse_args(["launch", *arguments]))


def test_a_slurm_job_starts_itself_as_a_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines: list[list[str]] = []
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", "2")
    monkeypatch.delenv("PARETOKEN_STEP", raising=False)

    def run(line: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        lines.append(line)
        return subprocess.CompletedProcess(line, 3)

    monkeypatch.setattr(launch.subprocess, "run", run)
    assert _launch("--gpus", "8", "--logs", "a.log", "--", *TRAIN, "--out", str(tmp_path)) == 3
    (line,) = lines
    assert line[0] == "srun"
    again = line[line.index("-m") :]
    assert again[:7] == ["-m", "paretoken", "launch", "--gpus", "8", "--logs", "a.log"]


def test_a_stopped_training_is_started_again_by_slurm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("PARETOKEN_STEP", raising=False)
    asked: list[int] = []

    def run(line: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        (tmp_path / "stopped").write_text("step 5 of 9\n")
        return subprocess.CompletedProcess(line, 1)

    monkeypatch.setattr(launch.subprocess, "run", run)
    monkeypatch.setattr(launch, "requeue", asked.append)  # SLURM refuses: None
    assert _launch("--gpus", "1", "--", *TRAIN, "--out", str(tmp_path)) == 1
    assert asked == [7]
    assert "the next attempt resumes there" in capsys.readouterr().out


@pytest.mark.parametrize(("gpus", "starts"), [(1, 1), (8, 3)])
def test_a_step_whose_memory_ran_out_is_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpus: int, starts: int
) -> None:
    """One process alone makes its micro batches smaller by itself, so a failure of it is another one."""
    lines: list[list[str]] = []
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("PARETOKEN_STEP", raising=False)

    def run(line: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if len(lines) < 2:
            note_shortage(tmp_path / CHECKPOINTS, 8 // 2 ** len(lines))
        lines.append(line)
        return subprocess.CompletedProcess(line, 1)

    monkeypatch.setattr(launch.subprocess, "run", run)
    assert _launch("--gpus", str(gpus), "--", *TRAIN, "--out", str(tmp_path)) == 1
    assert lines == lines[:1] * starts


def test_the_folder_that_a_command_writes_is_found() -> None:
    assert launch.out_folder([*TRAIN, "--out", "a/b", "--seed", "1"]) == Path("a/b")
    assert launch.out_folder([*TRAIN, "--out=a=b"]) == Path("a=b")
    assert launch.out_folder([*TRAIN, "--out"]) == launch.out_folder(TRAIN) == Path()


def test_gpus_must_be_shared_out_evenly() -> None:
    assert launch.share(8, 2) == 4
    with pytest.raises(UserError, match="9 GPUs cannot be divided evenly among 2 nodes"):
        launch.share(9, 2)


def test_torchrun_variables_of_the_shell_are_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One process would wait forever for the other one of `WORLD_SIZE`."""
    left = {
        "RANK": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "nowhere",
        "MASTER_PORT": "1",
        "LOCAL_RANK": "1",
    }
    started: list[dict[str, str]] = []
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)

    def main(line: list[str]) -> int:
        started.append(dict(os.environ))
        return 0

    monkeypatch.setattr(launch, "main", main)
    _launch("--gpus", "1", "--", "check", "--config", "x")
    assert started
    assert not left.keys() & started[0].keys()
