"""Determining which process is the driver of a working directory.

On one machine, a file lock decides, which the kernel releases when its process ends. Where locks have no
effect, and between machines that share a file system, a file decides: it names the machine, the process
and a count, its heartbeat, which the driver increases every few seconds.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from paretoken.io.escape import terminal
from paretoken.io.file_locks import Lock

#: The file in the `.snakemake` folder.
OWNER = "driver.json"
#: Seconds between two heartbeats, and how many a driver that is alive may miss.
BEAT_S, MISSED = 10.0, 3
#: Seconds after which the file of the later of two simultaneous starts has replaced the other.
SETTLE_S = 0.5


@dataclass(frozen=True)
class Owner:
    """A driver: machine (name and id of its boot), process (id and start time), and a unique token."""

    host: str
    boot: str
    pid: int
    started: str
    token: str

    @property
    def is_on_this_machine(self) -> bool:
        """Whether it runs, or ran, on this machine since its last boot."""
        return bool(self.boot) and self.boot == _boot()

    @property
    def is_running(self) -> bool:
        """Whether its process exists; valid on this machine only."""
        return self.started == _start_of(self.pid) != ""


class DriverLock:
    """The lock that makes this process the driver, until it is closed.

    Args:
        stream: the locked file.
        path: the file that names the owner.
        owner: this process.
        beat_s: seconds between two heartbeats.
    """

    def __init__(self, stream: IO[str], path: Path, owner: Owner, beat_s: float) -> None:
        self._stream, self._path, self._owner, self._beat_s = stream, path, owner, beat_s
        self._closed = threading.Event()
        threading.Thread(target=self._beat, daemon=True, name="driver-heartbeat").start()

    def close(self) -> None:
        """Stop being the driver."""
        if os.getpid() != self._owner.pid:
            return  # a forked process ends, not the driver
        self._closed.set()
        if _read(self._path)[0] == self._owner:
            self._path.unlink(missing_ok=True)
        self._stream.close()

    def _beat(self) -> None:
        count = 0
        while not self._closed.wait(self._beat_s):
            count += 1
            owner, _ = _read(self._path)
            if owner is not None and owner.token != self._owner.token:
                _say(f"This run ends: {_named(owner)} has taken over its folder, and follows its jobs.")
                os._exit(1)
            if not self._closed.is_set():
                _write(self._path, self._owner, count)


def become_owner(folder: Path, stream: IO[str], lock: Lock, beat_s: float = BEAT_S) -> DriverLock | None:
    """Make this process the driver, unless another one is alive (then return None).

    Args:
        folder: the `.snakemake` folder of the working directory.
        stream: the open lock file.
        lock: whether this process holds its lock, or locks have no effect here.
        beat_s: seconds between two heartbeats of a driver.
    """
    path = folder / OWNER
    before, _ = _read(path)
    if before is not None and not _is_gone(before, path, lock, beat_s):
        return None
    own = Owner(os.uname().nodename, _boot(), os.getpid(), _start_of(os.getpid()), uuid.uuid4().hex)
    _write(path, own, 0)
    if lock == "useless":
        _say(
            f"File locks have no effect on the file system of {folder.absolute()}: only {OWNER} there, "
            "which names the driver's machine and process, keeps a second driver out of this folder."
        )
        time.sleep(SETTLE_S)
        if _read(path)[0] != own:
            return None
    return DriverLock(stream, path, own, beat_s)


def name_owner(folder: Path) -> None:
    """Print which process is the driver of a folder."""
    owner, _ = _read(folder / OWNER)
    if owner is not None:
        _say(f"Another run works in this folder: {_named(owner)}. Wait until it ends, or stop it.")


def _is_gone(before: Owner, path: Path, lock: Lock, beat_s: float) -> bool:
    """Whether the driver that a file names has ended."""
    if before.is_on_this_machine:
        return lock == "held" or not before.is_running
    _say(
        f"The last driver of this folder was {_named(before)}. Waiting {MISSED * beat_s:g} s for its "
        "heartbeat."
    )
    first, end = _read(path), time.monotonic() + MISSED * beat_s
    while time.monotonic() < end:
        time.sleep(beat_s / 5)
        if _read(path) != first:
            return _read(path)[0] is None  # it has ended; otherwise it is alive
    return True


def _read(path: Path) -> tuple[Owner | None, int]:
    """Return the owner of a folder and its count; None and 0 if the file is missing or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Owner(**content["owner"]), int(content["count"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, 0


def _write(path: Path, owner: Owner, count: int) -> None:
    new = path.with_name(f"{OWNER}.{owner.token}")
    try:
        new.write_text(json.dumps({"owner": asdict(owner), "count": count}), encoding="utf-8")
        new.replace(path)
    except OSError:  # a full disk: the next heartbeat may be written
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return os.uname().nodename


def _start_of(pid: int) -> str:
    """Return when a process started, in kernel ticks, to detect reused ids; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _named(owner: Owner) -> str:
    return terminal(f"process {owner.pid} on {owner.host}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
