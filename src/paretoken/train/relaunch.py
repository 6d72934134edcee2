"""Running the processes of a training, again if a device's memory ran out; without PyTorch."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from paretoken.errors import UserError
from paretoken.train.checkpoints import CHECKPOINTS
from paretoken.train.shortage import read_shortage

#: Most restarts after a device's memory ran out; each one halves the micro batch.
MOST_RESTARTS = 5
#: Signals that are passed on to the processes. SIGINT is not among them: a terminal sends it to all.
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
#: Seconds that interrupted processes have to end.
INTERRUPT_S = 30
#: The option of Linux's `prctl` for a signal at the parent's death.
PR_SET_PDEATHSIG = 1


def until_it_fits(start: Callable[[], int], out: Path) -> int:
    """Run processes, and again each time that they end because a device's memory ran out.

    One of several processes cannot continue with smaller micro batches while the others wait for it.
    It notes the smaller size and ends, which ends all. The next start resumes from the last checkpoint.
    The global batch, and with it the result, stays the same.

    Args:
        start: runs all processes and returns their exit code.
        out: folder of the stage that they train.

    Returns:
        The exit code of the last start.

    Raises:
        UserError: memory ran out again after `MOST_RESTARTS` restarts.
    """
    for restart in range(1, MOST_RESTARTS + 2):
        before = read_shortage(out / CHECKPOINTS)
        code = start()
        now = read_shortage(out / CHECKPOINTS) if code else None
        if now is None or now == before:
            break
        words = f"a device's memory ran out with micro batches of {now.ran_out_with[-1]}"
        if restart > MOST_RESTARTS:
            raise UserError(
                f"{out}: {words}, after {MOST_RESTARTS} restarts with ever smaller ones; the same "
                f"command continues with {now.conversations}. If that does not fit either, set "
                "gradient_checkpointing: true, lower max_length, or use larger devices"
            )
        print(
            f"launch: {words}; restart {restart} of at most {MOST_RESTARTS}, from the last checkpoint, "
            f"with micro batches of {now.conversations}",
            flush=True,
        )
    return code


def run_together(line: list[str]) -> int:
    """Run a command and return its exit code.

    Signals that ask this process to end are passed on, and end it after the command. If this process is
    killed, the command is asked to end, too (on Linux).

    Raises:
        SystemExit: such a signal came.
    """
    process = subprocess.Popen(line, preexec_fn=_end_with_parent)  # noqa: PLW1509
    received: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        received.append(number)
        process.send_signal(number)

    handlers = {each: signal.signal(each, pass_on) for each in PASSED_ON}
    try:
        code = process.wait()
    except KeyboardInterrupt:  # a terminal interrupts the command, too
        with suppress(subprocess.TimeoutExpired):
            process.wait(INTERRUPT_S)
        process.terminate()
        process.wait()
        raise
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    if received:
        raise SystemExit(128 + received[0])
    return code if code >= 0 else 128 - code


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent ends."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
