"""Processes are started again after a lack of device memory, and after nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from paretoken.errors import UserError
from paretoken.train.checkpoints import CHECKPOINTS
from paretoken.train.relaunch import MOST_RESTARTS, run_together, until_it_fits
from paretoken.train.shortage import note_shortage, read_shortage
from processes import line_of, running


class Training:
    """A training of which only micro batches up to ``fits`` fit; any other failure has ``code``."""

    def __init__(self, out: Path, micro_batch: int, fits: int, code: int = 0) -> None:
        self.checkpoints, self.micro_batch, self.fits = out / CHECKPOINTS, micro_batch, fits
        self.code, self.sizes = code, list[int]()

    def start(self) -> int:
        known = read_shortage(self.checkpoints)
        size = self.micro_batch if known is None else min(known.conversations, self.micro_batch)
        self.sizes.append(size)
        if size <= self.fits:
            return self.code
        if size > 1:
            note_shortage(self.checkpoints, size)
        return 1


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 8, 31])
@pytest.mark.parametrize("fits", [1, 2, 7, 31])
@pytest.mark.parametrize("code", [0, 1, 2, 137])
def test_each_restart_halves_until_it_fits(
    tmp_path: Path, micro_batch: int, fits: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training(tmp_path, micro_batch, fits, code)
    assert until_it_fits(training.start, tmp_path) == code
    expected = [micro_batch]
    while expected[-1] > fits:
        expected.append(expected[-1] // 2)
    assert training.sizes == expected
    assert capsys.readouterr().out.count("restart ") == len(expected) - 1
    assert until_it_fits(training.start, tmp_path) == code, "a later start begins where it fits"
    assert training.sizes[len(expected) :] == expected[-1:]


def test_one_conversation_that_does_not_fit_ends_it(tmp_path: Path) -> None:
    training = Training(tmp_path, 4, fits=0)
    assert until_it_fits(training.start, tmp_path) == 1
    assert training.sizes == [4, 2, 1]


def test_the_number_of_restarts_is_bounded(tmp_path: Path) -> None:
    training = Training(tmp_path, 256, fits=0)
    with pytest.raises(UserError, match=r"with micro batches of 8, after 5 restarts .* with 4"):
        until_it_fits(training.start, tmp_path)
    assert training.sizes == [256, 128, 64, 32, 16, 8]
    assert len(training.sizes) == MOST_RESTARTS + 1


def test_a_failure_after_an_earlier_shortage_is_no_shortage(tmp_path: Path) -> None:
    note_shortage(tmp_path / CHECKPOINTS, 8)
    started: list[int] = []

    def fail() -> int:
        started.append(1)
        return 1

    assert until_it_fits(fail, tmp_path) == 1
    assert started == [1]


def test_the_exit_code_is_that_of_the_command() -> None:
    for code in (0, 3):
        assert run_together([sys.executable, "-c", f"raise SystemExit({code})"]) == code
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run_together([sys.executable, "-c", killed]) == 128 + signal.SIGKILL


#: A command that says its number and which signal ends it.
CHILD = """
    import os, signal, sys
    def end(number, _):
        print("ended by", number, flush=True)
        sys.exit(5)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    print("child", os.getpid(), flush=True)
    while True:
        signal.pause()
"""
PARENT = """
    import sys
    from paretoken.train.relaunch import run_together
    print("parent", flush=True)
    sys.exit(run_together([sys.executable, "-c", sys.argv[1]]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT])
def test_signals_to_the_launcher_end_the_command(number: signal.Signals) -> None:
    """SIGKILL too: no training goes on without the process that watches it."""
    if number == signal.SIGKILL and not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells a process of its parent's death")
    line = [sys.executable, "-c", textwrap.dedent(PARENT), textwrap.dedent(CHILD)]
    with running(line, stderr=subprocess.DEVNULL, start_new_session=True) as parent:
        assert line_of(parent) == "parent\n"
        assert line_of(parent).startswith("child ")
        if number == signal.SIGINT:  # as a terminal does: to all processes
            os.killpg(parent.pid, number)
        else:
            parent.send_signal(number)
        if number in (signal.SIGTERM, signal.SIGHUP):  # it ends, too, and starts nothing again
            assert parent.wait() == 128 + number
        if number != signal.SIGHUP:  # which the command does not handle: it ends without a word
            received = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM
            assert line_of(parent) == f"ended by {int(received)}\n"
        assert line_of(parent) == ""  # nobody has the pipe open any more: the command has ended
