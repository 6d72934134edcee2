"""What counts as done, running, failed and missing, on files as jobs leave them."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from paretoken.jobs.job_states import Job, State, state_of, together
from paretoken.jobs.signs_of_life import QUIET_ALONE_S, Signs, look, progress_in, tail
from processes import line_of, running

LINE = "finetune: step 25/250 loss 0.4791 lr 2.98e-03 20.68 steps/s, 0:00:11 left\n"
ENDED = "finetune: 250 steps, loss 0.3195, 13.1 s (11.5 s CPU), 2.1e+11 FLOPs\n"


def job(folder: Path) -> Job:
    out, log = folder / "finetune", folder / "logs" / "finetune.log"
    return Job("finetune", [out / "run.json"], [log], [out], out / "checkpoints")


def write_log(folder: Path, text: str, age: float = 0.0) -> None:
    log = folder / "logs" / "finetune.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text(text)
    os.utime(log, (time.time() - age, time.time() - age))


def write_checkpoint(folder: Path, step: int, of: int, age: float = 0.0) -> None:
    path = folder / "finetune" / "checkpoints" / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "manifest.json").write_text(json.dumps({"step": step}))
    (path / "trainer_state.json").write_text(json.dumps({"max_steps": of}))
    for touched in (path, path.parent):
        os.utime(touched, (time.time() - age, time.time() - age))


def signs(quiet_s: float = 60.0, outs: frozenset[Path] = frozenset()) -> Signs:
    return Signs(time.time(), outs, driven=False, quiet_s=quiet_s)


def test_nothing_there_is_missing(tmp_path: Path) -> None:
    assert state_of(job(tmp_path), signs()) == State("missing")


def test_done_is_the_record_whatever_else_lies_around(tmp_path: Path) -> None:
    write_log(tmp_path, "paretoken train: disk full\n")
    (tmp_path / "finetune").mkdir()
    (tmp_path / "finetune" / "run.json").touch()
    assert state_of(job(tmp_path), signs()).word == "done"


def test_a_fresh_log_is_running_with_its_step(tmp_path: Path) -> None:
    write_log(tmp_path, LINE)
    found = state_of(job(tmp_path), signs())
    assert (found.word, found.done, found.of) == ("running", 25, 250)
    assert str(found) == "running 25/250"


def test_a_silent_job_is_not_running_for_ever(tmp_path: Path) -> None:
    write_log(tmp_path, LINE, age=61)
    found = state_of(job(tmp_path), signs())
    assert found.word == "failed"
    assert "without an error" in found.why
    assert found.last_lines == (LINE.strip(),)
    assert state_of(job(tmp_path), signs(quiet_s=120)).word == "running"


def test_a_checkpoint_is_a_sign_of_life_and_of_progress(tmp_path: Path) -> None:
    write_log(tmp_path, LINE, age=600)
    write_checkpoint(tmp_path, 200, 250)
    found = state_of(job(tmp_path), signs())
    assert (found.word, found.done, found.of) == ("running", 200, 250)


def test_a_checkpoint_tells_steps_when_the_log_does_not(tmp_path: Path) -> None:
    write_log(tmp_path, "no numbers here\n", age=600)
    write_checkpoint(tmp_path, 100, 250, age=600)
    found = state_of(job(tmp_path), signs())
    assert (found.word, found.done, found.of) == ("failed", 100, 250)


@pytest.mark.parametrize(
    "last",
    [
        "paretoken train: checkpoint cannot be written: no space left on device",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "KeyError: 'image'",
        "KeyboardInterrupt",
    ],
)
def test_an_error_at_the_end_is_failed_at_once(tmp_path: Path, last: str) -> None:
    write_log(tmp_path, f"{LINE}Traceback (most recent call last):\n{last}\n")
    found = state_of(job(tmp_path), signs())
    assert found.word == "failed"
    assert "error" in found.why
    assert found.last_lines[-1] == last


def test_an_error_before_a_launcher_s_box_is_seen_and_one_before_a_restart_is_not(
    tmp_path: Path,
) -> None:
    box = "\n".join(["=" * 60, "train FAILED", *["  rank: 0"] * 15, "=" * 60])
    write_log(tmp_path, f"{LINE}ValueError: bad\n{box}\n")
    assert state_of(job(tmp_path), signs()).word == "failed"
    write_log(tmp_path, f"{LINE}ValueError: bad\n{box}\n{LINE}")
    assert state_of(job(tmp_path), signs()).word == "running"


def test_only_the_last_start_in_a_log_of_a_cluster_counts(tmp_path: Path) -> None:
    first = f"== SLURM job 7, start 1, on gpu1, today\n{LINE}ValueError: bad\n"
    write_log(tmp_path, first)
    assert state_of(job(tmp_path), signs()).word == "failed"
    write_log(tmp_path, f"{first}== SLURM job 7, start 2, on gpu2, today\nloading\n")
    assert state_of(job(tmp_path), signs()).word == "running"


def test_a_log_that_ends_well_without_its_result_is_missing(tmp_path: Path) -> None:
    write_log(tmp_path, LINE + ENDED)
    assert state_of(job(tmp_path), signs()).word == "missing"


def test_a_process_of_this_machine_is_running_however_silent(tmp_path: Path) -> None:
    write_log(tmp_path, LINE, age=10_000)
    alive = signs(outs=frozenset({(tmp_path / "finetune").absolute()}))
    assert state_of(job(tmp_path), alive).word == "running"


def test_results_that_come_one_by_one_are_counted(tmp_path: Path) -> None:
    answers = [tmp_path / f"{name}.parquet" for name in ("mme", "gqa", "pope")]
    logs = [tmp_path / f"predict-{name}.log" for name in ("mme", "gqa", "pope")]
    asked = Job("predict", answers, logs)
    answers[0].touch()
    logs[0].write_text("old\n")
    assert str(state_of(asked, signs())) == "missing 1/3"
    logs[1].write_text("gqa: 256/12578\n")
    assert str(state_of(asked, signs())) == "running 1/3"
    os.utime(logs[1], (1, 1))
    assert state_of(asked, signs()).log == str(logs[1]), "the log of what is not there"


def test_what_needs_attention_wins() -> None:
    done, running, missing = State("done"), State("running"), State("missing")
    failed = State("failed", why="no space")
    assert str(together([done, running, failed, missing])) == "failed 1/4"
    assert together([failed, done]).why == "no space"
    assert together([done, running, missing]).word == "running"
    assert together([done, missing]).word == "missing"
    assert together([done, done]) == State("done")


def test_rewritten_lines_count_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("start\n" + "".join(f"\r\x1b[Kpretrain: step {i}/9 loss 1" for i in range(1, 5)))
    assert tail(log) == ["start", "pretrain: step 4/9 loss 1"]
    assert progress_in(tail(log)) == (4, 9)
    assert progress_in(["finetune: continues at step 5 of 20", "loading"]) == (5, 20)
    assert progress_in(["mme: 64/2374"]) == (64, 2374)
    assert progress_in(["nothing", "to see"]) is None
    assert tail(tmp_path / "nowhere") == []


@pytest.fixture
def no_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a SLURM that is installed and does not run here: nobody could tell what it runs."""
    monkeypatch.setenv("PATH", "")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_a_killed_process_stops_running(tmp_path: Path, no_slurm: None) -> None:
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, "--out", "finetune", "--other"]
    command[1:1] = ["-X", "paretoken=1"]  # what the search for processes looks for
    with running(command, cwd=tmp_path) as process:
        assert line_of(process) == "up\n"
        write_log(tmp_path, LINE, age=QUIET_ALONE_S + 1)
        assert state_of(job(tmp_path), look(tmp_path)).word == "running"
    found = look(tmp_path)
    assert found.quiet_s == QUIET_ALONE_S, "no driver and no SLURM job of this folder"
    assert state_of(job(tmp_path), found).word == "failed"


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="needs /proc")
def test_a_driver_lengthens_the_patience(tmp_path: Path, no_slurm: None) -> None:
    lock = tmp_path / ".snakemake" / "driver.lock"
    lock.parent.mkdir()
    lock.touch()
    assert not look(tmp_path).driven
    code = (
        f"import fcntl, sys; lock = open({str(lock)!r}, 'w'); fcntl.flock(lock, fcntl.LOCK_EX); "
        "print('up', flush=True); sys.stdin.read()"
    )
    with running([sys.executable, "-c", code]) as process:
        assert line_of(process) == "up\n"
        driven = look(tmp_path)
    assert driven.driven
    assert driven.quiet_s > QUIET_ALONE_S
