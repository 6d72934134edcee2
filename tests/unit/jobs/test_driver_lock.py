"""Who the driver of a folder is, on file systems with and without locks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paretoken.jobs import driver_lock
from paretoken.jobs.driver import take_over
from paretoken.jobs.driver_lock import OWNER

#: What locks do: on a usual file system; where they do nothing; where they are refused.
LOCKS = {
    "work": "",
    "do nothing": "fcntl.flock = lambda *_: None",
    "are unsupported": "def refuse(*_): raise OSError(errno.ENOSYS, 'no locks')\nfcntl.flock = refuse",
}
DRIVER = """
import errno, fcntl, signal
from pathlib import Path
{locks}
from paretoken.jobs.driver import take_over
lock = take_over(Path("."))
print("driver" if lock else "refused", flush=True)
if lock:
    signal.pause()
"""


@contextmanager
def driver(folder: Path, locks: str) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    errors = folder / f"stderr-{len(list(folder.glob('stderr-*')))}"
    with errors.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER.format(locks=LOCKS[locks])],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
        )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip(), errors
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("locks", LOCKS)
def test_a_second_driver_is_refused_and_a_killed_one_replaced(tmp_path: Path, locks: str) -> None:
    with driver(tmp_path, locks) as (first, said, errors):
        assert said == "driver"
        with driver(tmp_path, locks) as (_, other, _):
            assert other == "refused"
        first.kill()
        first.wait()
        assert ("File locks have no effect" in errors.read_text()) is (locks != "work")
    with driver(tmp_path, locks) as (_, said, _):
        assert said == "driver", "nobody has to unlock what a killed driver left"


@pytest.mark.parametrize("locks", LOCKS)
def test_a_driver_that_is_stopped_is_a_driver(tmp_path: Path, locks: str) -> None:
    with driver(tmp_path, locks) as (first, _, _):
        os.kill(first.pid, signal.SIGSTOP)
        with driver(tmp_path, locks) as (_, other, _):
            assert other == "refused"


def elsewhere(folder: Path, count: int, pid: int = 1) -> None:
    owner = {"host": "login2", "boot": "another", "pid": pid, "started": "5", "token": "t"}
    (folder / OWNER).write_text(json.dumps({"owner": owner, "count": count}))


def test_a_driver_on_another_machine_is_known_by_its_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = iter(range(100))
    monkeypatch.setattr(driver_lock.time, "sleep", lambda _: elsewhere(tmp_path, next(counts)))
    elsewhere(tmp_path, 500)
    assert take_over(tmp_path) is None
    assert "The last driver of this folder was process 1 on login2" in capsys.readouterr().err


def test_a_driver_on_another_machine_that_gives_no_sign_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_lock, "MISSED", 0)
    elsewhere(tmp_path, 500)
    lock = take_over(tmp_path)
    assert lock is not None
    assert json.loads((tmp_path / OWNER).read_text())["owner"]["pid"] == os.getpid()
    lock.close()
    assert not (tmp_path / OWNER).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"owner": {"host": 1}, "count": 0}', "\0"])
def test_a_damaged_lock_file_blocks_no_driver(tmp_path: Path, content: str) -> None:
    (tmp_path / OWNER).write_text(content)
    lock = take_over(tmp_path)
    assert lock is not None
    lock.close()


def test_the_count_increases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = take_over(tmp_path)
    assert lock is not None
    written: list[int] = []
    monkeypatch.setattr(driver_lock, "_write", lambda path, owner, count: written.append(count))
    monkeypatch.setattr(lock, "_beat_s", 0.0)
    monkeypatch.setattr(lock._closed, "wait", lambda _: len(written) >= 3)
    lock._beat()
    assert written == [1, 2, 3]
    monkeypatch.undo()
    lock.close()
