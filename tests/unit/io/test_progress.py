"""What a command says about itself while it runs, and what is believed of it afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from paretoken.cli import REPORTED, main
from paretoken.errors import StoppedEarlyError, UserError
from paretoken.io import progress
from paretoken.io.ownership import OWNER
from paretoken.io.progress import progress_file, read_progress, report, reported
from processes import line_of, running


def test_a_command_that_runs_says_where_and_how_far(tmp_path: Path) -> None:
    before = time.time()
    with reported("train", [tmp_path / "finetune"]):
        first = read_progress(tmp_path / "finetune")
        report("finetune", 250, 250)
        found = read_progress(tmp_path / "finetune")
    assert first is not None
    assert (first.command, first.step, first.of, first.end) == ("train", None, None, None)
    assert (first.host, first.pid) == (socket.gethostname(), os.getpid())
    assert before <= first.since <= first.heartbeat <= time.time()
    assert found is not None
    assert (found.stage, found.step, found.of) == ("finetune", 250, 250)
    last = read_progress(tmp_path / "finetune")
    assert last is not None
    assert (last.end, last.error) == ("done", "")
    assert [path.name for path in tmp_path.iterdir()] == [".finetune.progress.json"]


def test_a_heartbeat_is_renewed_without_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "HEARTBEAT_S", 0.01)
    with reported("train", [tmp_path / "out"]):
        first = read_progress(tmp_path / "out")
        report("pretrain", 3, 10)
        deadline = time.monotonic() + 60
        while (found := read_progress(tmp_path / "out")) == first and time.monotonic() < deadline:
            time.sleep(0.01)
    assert first is not None
    assert found is not None
    assert found.heartbeat > first.heartbeat
    assert (found.step, found.of) == (3, 10)


@pytest.mark.parametrize(
    ("error", "end", "words"),
    [
        (UserError("no such file"), "failed", "no such file"),
        (ValueError("bad shape"), "failed", "ValueError: bad shape"),
        (StoppedEarlyError("stopped at step 3 of 9"), "stopped", "stopped at step 3 of 9"),
        (KeyboardInterrupt(), "stopped", "interrupted"),
        (UserError("x" * 10**6), "failed", "x" * 400),
        (UserError("https://me:secret@host/x"), "failed", ""),
    ],
)
def test_how_it_ended(tmp_path: Path, error: BaseException, end: str, words: str) -> None:
    def run() -> None:
        with reported("train", [tmp_path / "out"]):
            raise error

    with pytest.raises(type(error)):
        run()
    found = read_progress(tmp_path / "out")
    assert found is not None
    assert found.end == end
    assert words in found.error
    assert len(found.error) <= progress.LONGEST_ERROR
    assert "secret" not in found.error


def test_a_killed_process_leaves_its_last_words(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from paretoken.io.progress import report, reported\n"
        f"with reported('train', [Path({str(tmp_path / 'out')!r})]):\n"
        "    report('finetune', 9, 9); print('up', flush=True); sys.stdin.read()"
    )
    with running([sys.executable, "-c", code]) as process:
        assert line_of(process) == "up\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = read_progress(tmp_path / "out")
    assert found is not None
    assert (found.pid, found.end, found.step) == (process.pid, None, 9)


def test_several_results_each_have_a_file_and_later_processes_write_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outs = [tmp_path / "a.json", tmp_path / "b.json"]
    with reported("score", outs):
        assert all(read_progress(out) for out in outs)
    monkeypatch.setenv("RANK", "1")
    with reported("train", [tmp_path / "c"]):
        report("train", 1, 2)
    assert not progress_file(tmp_path / "c").exists()


def test_no_folder_and_no_disk_do_not_end_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reported("fetch", [tmp_path / "absent" / "out"]):
        report("fetch", 1, 1)
    assert not (tmp_path / "absent").exists()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with reported("fetch", [tmp_path / "out"]):
        report("fetch", 1, 1)


def test_an_earlier_start_of_a_job_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path / "owner"
    owner.write_text("7.1.node")
    monkeypatch.setenv(OWNER, f"7.0.node\n{owner}")
    with reported("train", [tmp_path / "out"]):
        report("train", 1, 1)
    assert not progress_file(tmp_path / "out").exists()
    monkeypatch.setenv(OWNER, f"7.1.node\n{owner}")
    with reported("train", [tmp_path / "out"]):
        assert read_progress(tmp_path / "out") is not None


def test_damaged_progress_files_are_ignored(tmp_path: Path) -> None:
    out, file = tmp_path / "out", progress_file(tmp_path / "out")
    with reported("train", [out]):
        report("train", 1, 2)
    good = json.loads(file.read_text())
    assert read_progress(out) is not None
    for key in good:
        for value in (None, "x", -1, 2.5, [], {}, True, 10**400, float("nan"), float("inf"), "done"):
            file.write_text(json.dumps(good | {key: value}))
            found = read_progress(out)
            assert found is None or getattr(found, key) == value, (key, value)
            assert found is None or found.step is None or isinstance(found.step, int)
    for text in ("", "{", "[]", "null", json.dumps(good | {"more": 1}), '{"command": "train"}'):
        file.write_text(text)
        assert read_progress(out) is None
    file.unlink()
    assert read_progress(out) is None


def test_the_failure_of_a_long_command_is_reported_in_the_results_of_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"train", "predict", "fetch", "tokenize", "features"} <= REPORTED
    monkeypatch.chdir(tmp_path)
    out = Path("results", "own", "errors.csv")
    out.parent.mkdir(parents=True)
    line = ["cell", "--study", "own", "--measured", "none.csv", "--suites", "all", "--llm-name", "x"]
    line += ["--params-b", "1", "--compressor", "none", "--tokens", "1", "--seed", "0", "--out"]
    assert main([*line, "errors.csv"]) == main([*line, "."]) == main([*line, "results"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["results"], "elsewhere nothing is left"
    assert main([*line, str(out)]) == 2
    found = read_progress(out)
    assert found is not None
    assert (found.command, found.end) == ("cell", "failed")
    assert "none.csv" in found.error
