"""A real SLURM cluster on this machine, and projects that run on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: What the script of the cluster calls.
NEEDED = ("slurmctld", "slurmd", "munged", "sbatch")
ACCOUNTING = ("slurmdbd", "mariadbd")
SITE: dict[str, Any] = {
    "gpu": {"partition": "gpu", "model": "h100", "per_node": 4},
    "cpu": {"partition": "cpu"},
    "limits": {"mem_mb": 64_000, "runtime_min": 60},
    "warn_s": 20,
}


def missing(accounting: bool = False) -> str:
    """Return why no cluster can be started here; empty if one can."""
    absent = [name for name in NEEDED + ACCOUNTING * accounting if shutil.which(name) is None]
    if absent:
        return (
            f"no SLURM here ({', '.join(absent)} not found): as root, on Debian, `.ci/run` installs it"
        )
    return "" if os.geteuid() == 0 else "SLURM's daemons are started as root, and this user is not"


@dataclass
class Lab:
    """The cluster: two nodes with four GPUs each, one without; see start-slurm.sh."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    drivers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    #: A folder with commands that stand before SLURM's, for drivers.
    first_on_path: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment of what uses the cluster."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
        # `paretoken` stands beside the interpreter, whether or not its environment is activated.
        path = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
        own = {"SLURM_CONF": str(self.folder / "slurm.conf"), "OMP_NUM_THREADS": "1", "CI": ""}
        return {**kept, **own, "PATH": path, "PARETOKEN_DEVICE": "cpu"}

    def start(self) -> None:
        """Start all daemons, and wait for the nodes."""
        given = {**os.environ, "PORT": str(self.port), **self.settings}
        command = [HERE / "start-slurm.sh", self.folder]
        done = subprocess.run(command, capture_output=True, text=True, env=given, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def clear(self) -> None:
        """End what a failed test left behind: drivers, and jobs."""
        left = [process for process in self.drivers if process.poll() is None]
        for process in left:
            process.kill()
            process.wait()
        self.drivers.clear()
        if left:
            self._try("scancel", "--user=root")
        for name in ("slurmctld", *(f"slurmd.{node}" for node in ("gpu1", "gpu2", "cpu1"))):
            if not self._alive(name):
                self.restart(name)
        for node in self._try("sinfo", "-h", "-N", "-o", "%N", "--states=down,drain").split():
            self._try("scontrol", "update", f"nodename={node}", "state=resume")

    def described(self) -> str:
        """Return what SLURM says of its nodes and jobs, for the message of a test that failed."""
        return self._try("sinfo", "-N", "-o", "%N %T %E") + self._try("squeue", "--states=all")

    def _try(self, *command: str) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, env=self.environment, check=False, timeout=60
        )
        return done.stdout + done.stderr

    def stop(self) -> None:
        """Cancel jobs and end all daemons."""
        for process in self.drivers:
            process.kill()
            process.wait()
        subprocess.run([HERE / "stop-slurm.sh", self.folder], capture_output=True, check=False)

    def run(self, *command: str | bytes) -> str:
        """Return what one of SLURM's commands prints."""
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=self.environment, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def occupied(self) -> Iterator[None]:
        """Keep a GPU of each node busy: what asks for all of them waits."""
        busy = ["-p", "gpu", "--nodes=2", "--gres=gpu:1", "-o", "/dev/null", "--wrap", "sleep 600"]
        job = self.run("sbatch", "--parsable", *busy).strip()
        try:
            yield
        finally:
            self.run("scancel", job)

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Have both partitions start no job: what is submitted waits."""
        for partition in ("gpu", "cpu"):
            self.run("scontrol", "update", f"partitionname={partition}", "state=down")
        try:
            yield
        finally:
            for partition in ("gpu", "cpu"):
                self.run("scontrol", "update", f"partitionname={partition}", "state=up")

    def daemon(self, name: str) -> int:
        """Return the process of a daemon: slurmctld, slurmd.gpu1, ..."""
        return wait(lambda: self._process(name), 60)

    def _process(self, name: str) -> int | None:
        """Return the process that a daemon's file names; None while that is absent or still empty."""
        file = self.folder / "run" / f"{name}.pid"
        try:
            text = file.read_text().strip()
        except FileNotFoundError:
            return None
        return int(text) if text else None

    def _alive(self, name: str) -> bool:
        process = self._process(name)
        return process is not None and not _gone(process)

    def kill(self, name: str) -> None:
        """Kill -9 a daemon, and wait until it is gone."""
        pid = self.daemon(name)
        os.kill(pid, signal.SIGKILL)
        wait(lambda: _gone(pid), 20)

    def crash(self, node: str, job: str) -> None:
        """Lose a node with a job on it: kill -9 its daemon and all of the job."""
        self.kill(f"slurmd.{node}")
        steps = self._steps(node, job)
        for pid in [*steps, *(child for step in steps for child in _descendants(step))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def lose(self, node: str, job: str) -> None:
        """Lose a node to SLURM: kill -9 its daemon and what SLURM watches a job with; the job lives."""
        self.kill(f"slurmd.{node}")
        for pid in self._steps(node, job):
            os.kill(pid, signal.SIGKILL)

    def _steps(self, node: str, job: str) -> list[int]:
        # Clusters of other processes of tests have jobs of the same number; logs are each one's own.
        log = str(self.folder / "log" / f"slurmd.{node}.log")
        everything = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        named = [pid for pid in everything if _command(pid).startswith(f"slurmstepd: [{job}.")]
        steps = [pid for pid in named if log in _opened(pid)]
        assert steps, f"no process of job {job} is on {node}"
        return steps

    def leave(self, name: str) -> None:
        """End a daemon as an administrator does: it saves what it knows."""
        pid = self.daemon(name)
        os.kill(pid, signal.SIGTERM)
        wait(lambda: _gone(pid), 60)

    def restart(self, name: str) -> None:
        """Start a daemon again, slurmctld or slurmd.NODE, and wait until it has noted its process."""
        program, _, node = name.partition(".")
        words = [program, "-f", str(self.folder / "slurm.conf"), *(["-N", node] if node else [])]
        subprocess.run(words, env=self.environment, check=True, capture_output=True)
        wait(lambda: self._alive(name), 60)

    def jobs(self, name: str = "") -> list[dict[str, str]]:
        """Return the jobs whose names contain ``name``: id, state, name, node and requested GPUs."""
        lines = self.run("squeue", "-h", "-r", "--states=all", "-o", "%i|%T|%j|%N|%b|%Z").splitlines()
        keys = ("id", "state", "name", "node", "gpus", "folder")
        found = [dict(zip(keys, line.split("|"), strict=True)) for line in lines]
        return sorted((job for job in found if name in job["name"]), key=lambda job: int(job["id"]))

    def job(self, name: str, *states: str, limit_s: float = 240) -> dict[str, str]:
        """Return the newest job with a name, as soon as it is in one of some states."""

        def newest() -> dict[str, str] | None:
            found = self.jobs(name)
            return found[-1] if found and found[-1]["state"] in states else None

        return wait(newest, limit_s)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _opened(pid: int) -> list[str]:
    """Return what files a process has open."""
    try:
        return [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in (child, *_descendants(child))]


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return True
    return state in "ZX"


def wait(condition: Callable[[], Any], limit_s: float) -> Any:
    """Return what a condition returns as soon as that is true."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {limit_s} s: {condition}")
