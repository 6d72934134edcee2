"""What counts as done, running, queued, failed and missing, on files as jobs leave them."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from paretoken.io.progress import Progress, progress_file
from paretoken.jobs.job_states import Job, State, state_of, together
from paretoken.jobs.signs_of_life import QUIET_S, Signs, gather_signs, tail
from paretoken.slurm.job_names import digest, mark
from paretoken.slurm.queue import FIELD, RECORD, Queued
from processes import line_of, running

NOW = 1.8e9
HERE = Progress("train", "finetune", 25, 250, NOW - 60, NOW - 5, socket.gethostname(), os.getpid())
ELSEWHERE = replace(HERE, host="gpu1", pid=7)


def job(folder: Path) -> list[Job]:
    out = folder / "finetune"
    return [Job(out / "run.json", out, folder / "logs" / "finetune.log")]


def say(folder: Path, found: Progress, name: str = "finetune") -> None:
    progress_file(folder / name).write_text(json.dumps(asdict(found)))


def write_log(folder: Path, text: str, age: float = 0.0, name: str = "finetune") -> Path:
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text(text)
    os.utime(log, (NOW - age, NOW - age))
    return log


def signs(**changes: Any) -> Signs:
    return Signs(**{"now": NOW} | changes)


def queued(folder: Path, state: str, reason: str = "Priority") -> dict[str, Queued]:
    result = str(folder / "finetune" / "run.json")
    found = Queued("12", state, None, folder, mark([(result, "work")]), reason, "finetune")
    return {digest([result]): found}


def test_nothing_there_is_missing(tmp_path: Path) -> None:
    assert state_of(job(tmp_path), signs()) == State("missing")


def test_an_existing_result_means_done_whatever_other_files_exist(tmp_path: Path) -> None:
    write_log(tmp_path, "paretoken train: disk full\n")
    say(tmp_path, replace(HERE, end="failed", error="disk full"))
    (tmp_path / "finetune").mkdir()
    (tmp_path / "finetune" / "run.json").touch()
    assert state_of(job(tmp_path), signs()).state == "done"


@pytest.mark.parametrize("said", [HERE, ELSEWHERE])
def test_a_heartbeat_is_running_with_its_step(tmp_path: Path, said: Progress) -> None:
    log = write_log(tmp_path, "loading\n", age=10_000)
    say(tmp_path, said)
    found = state_of(job(tmp_path), signs())
    assert (found.state, found.done, found.total) == ("running", 25, 250)
    assert str(found) == "running 25/250"
    assert f"process {said.pid} on {said.host}" in found.reason
    assert found.log == str(log)


def test_a_job_without_heartbeats_is_not_running_for_ever(tmp_path: Path) -> None:
    write_log(tmp_path, "finetune: step 25/250\n")
    say(tmp_path, replace(ELSEWHERE, heartbeat=NOW - QUIET_S - 1))
    found = state_of(job(tmp_path), signs())
    assert (found.state, found.done, found.total) == ("failed", 25, 250)
    assert "killed or is lost; 0:02:01 ago" in found.reason
    assert found.last_lines == ("finetune: step 25/250",)
    assert state_of(job(tmp_path), signs(quiet_s=600.0)).state == "running"


def test_a_clock_that_is_ahead_does_not_mean_a_dead_job(tmp_path: Path) -> None:
    say(tmp_path, replace(ELSEWHERE, heartbeat=NOW + 1000))
    assert state_of(job(tmp_path), signs()).state == "running"


def test_a_process_of_this_machine_that_is_gone_has_failed_at_once(tmp_path: Path) -> None:
    with running([sys.executable, "-c", "print('up', flush=True); input()"]) as process:
        assert line_of(process) == "up\n"
        say(tmp_path, replace(HERE, pid=process.pid))
        assert state_of(job(tmp_path), signs()).state == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert state_of(job(tmp_path), signs()).state == "failed"


@pytest.mark.parametrize(
    "error", ["no space left on device", "OutOfMemoryError: CUDA out of memory\nmore", "KeyError: 'x'"]
)
def test_an_error_fails_the_job_at_once_and_is_reported(tmp_path: Path, error: str) -> None:
    say(tmp_path, replace(HERE, end="failed", error=error))
    found = state_of(job(tmp_path), signs())
    assert found.state == "failed"
    assert found.reason == f"{error.partition(chr(10))[0]}; 5 s ago"
    assert (found.log, found.last_lines) == ("", ())


def test_what_was_stopped_is_to_be_continued(tmp_path: Path) -> None:
    say(tmp_path, replace(HERE, end="stopped", error="stopped by a signal at step 25 of 250"))
    found = state_of(job(tmp_path), signs())
    assert str(found) == "missing 25/250"
    assert "resumes when it is started again" in found.reason


def test_a_result_that_was_removed_is_missing(tmp_path: Path) -> None:
    say(tmp_path, replace(HERE, step=250, end="done"))
    write_log(tmp_path, "finetune: 250 steps\n")
    assert str(state_of(job(tmp_path), signs())) == "missing"


def test_a_log_alone_is_a_start_and_then_a_failure(tmp_path: Path) -> None:
    write_log(tmp_path, "paretoken: command not found\n", age=5)
    assert state_of(job(tmp_path), signs()).state == "running"
    write_log(tmp_path, "paretoken: command not found\n", age=QUIET_S + 1)
    found = state_of(job(tmp_path), signs())
    assert found.state == "failed"
    assert found.last_lines == ("paretoken: command not found",)


def test_only_the_last_start_in_a_log_of_a_cluster_is_shown(tmp_path: Path) -> None:
    first = "== SLURM job 7, start 1, on gpu1, today\nValueError: bad\n"
    write_log(tmp_path, f"{first}== SLURM job 7, start 2, on gpu2, today\nKeyError: worse\n")
    say(tmp_path, replace(ELSEWHERE, end="failed", error="KeyError: worse"))
    assert "ValueError: bad" not in state_of(job(tmp_path), signs()).last_lines


def test_slurm_decides_the_state_of_jobs_without_heartbeats(tmp_path: Path) -> None:
    waits = state_of(job(tmp_path), signs(queue=queued(tmp_path, "PENDING")))
    assert (waits.state, waits.reason) == ("queued", "SLURM job 12 waits: Priority")
    assert state_of(job(tmp_path), signs(queue=queued(tmp_path, "HELD"))).state == "queued"
    say(tmp_path, replace(ELSEWHERE, heartbeat=NOW - 10_000))
    runs = state_of(job(tmp_path), signs(queue=queued(tmp_path, "SUSPENDED")))
    assert str(runs) == "running 25/250"
    assert runs.reason == "SLURM job 12 is SUSPENDED"
    again = state_of(job(tmp_path), signs(queue=queued(tmp_path, "PENDING")))
    assert str(again) == "queued 25/250"


def test_results_that_come_one_by_one_are_counted(tmp_path: Path) -> None:
    names = ("mme", "gqa", "pope")
    results = [tmp_path / f"{name}.parquet" for name in names]
    logs = [tmp_path / "logs" / f"{name}.log" for name in names]
    asked = [Job(path, path, log) for path, log in zip(results, logs, strict=True)]
    results[0].touch()
    write_log(tmp_path, "old\n", age=10_000, name="mme")
    assert str(state_of(asked, signs())) == "missing 1/3"
    say(tmp_path, HERE, "gqa.parquet")
    assert str(state_of(asked, signs())) == "running 1/3"
    say(tmp_path, replace(HERE, end="failed", error="no memory"), "gqa.parquet")
    write_log(tmp_path, "no memory\n", name="gqa")
    assert state_of(asked, signs()).log == str(logs[1]), "the log of what is not there"


def test_what_needs_attention_wins() -> None:
    done, alive, missing, waits = State("done"), State("running"), State("missing"), State("queued")
    failed = State("failed", reason="no space")
    assert str(together([done, alive, failed, missing])) == "failed 1/4"
    assert together([failed, done]).reason == "no space"
    assert together([done, alive, missing, waits]).state == "running"
    assert together([done, missing, waits]).state == "queued"
    assert together([done, missing]).state == "missing"
    assert together([done, done]) == State("done")


def test_rewritten_lines_count_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("start\n" + "".join(f"\r\x1b[Kpretrain: step {i}/9 loss 1" for i in range(1, 5)))
    assert tail(log) == ["start", "pretrain: step 4/9 loss 1"]
    assert tail(tmp_path / "nowhere") == []


def squeue(folder: Path, answer: str, code: int = 0) -> None:
    """Put a program called squeue into a folder, which prints a text."""
    (folder / "answer").write_text(answer)
    program = folder / "squeue"
    program.write_text(f"#!/bin/sh\n[ {code} = 0 ] || exec >&2\ncat '{folder}/answer'\nexit {code}\n")
    program.chmod(0o755)


def line(number: int, state: str, folder: Path, result: str) -> str:
    fields = (str(number), state, "N/A", str(folder), mark([(result, "work")]), "Priority", "name")
    return RECORD + FIELD.join(fields) + "\n"


def test_one_squeue_says_what_the_jobs_of_this_folder_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    squeue(
        tmp_path,
        line(1, "PENDING", tmp_path, "a")
        + line(2, "RUNNING", tmp_path / ".snakemake" / "launches" / "x", "b")
        + line(3, "COMPLETED", tmp_path, "c")
        + line(4, "PREEMPTED", tmp_path, "d")
        + line(5, "RUNNING", tmp_path / "elsewhere", "e")
        + line(7, "RUNNING", tmp_path, "f")
        + line(8, "PENDING", tmp_path, "f"),
    )
    found = gather_signs(tmp_path)
    states = {name: found.queued(Path(name)) for name in "abcdef"}
    assert {name: each.number for name, each in states.items() if each} == {"a": "1", "b": "2", "f": "7"}
    assert found.complaint == ""


def test_a_slurm_that_does_not_answer_is_reported_and_one_without_a_cluster_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    squeue(tmp_path, "squeue: error: Unable to contact slurm controller", code=1)
    assert "Unable to contact slurm controller" in gather_signs(tmp_path).complaint
    squeue(tmp_path, "squeue: fatal: Could not establish a configuration source", code=1)
    assert gather_signs(tmp_path).complaint == ""
    monkeypatch.setenv("PATH", "")
    assert gather_signs(tmp_path).queue == {}


def test_the_default_is_two_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert gather_signs(tmp_path).quiet_s == QUIET_S == 120.0
    assert gather_signs(tmp_path, 5.0).quiet_s == 5.0
    assert abs(gather_signs(tmp_path).now - time.time()) < 60
