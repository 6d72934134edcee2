"""`paretoken launch`: run another command of this program once per GPU that the job may use.

Outside of SLURM, one process runs per requested GPU, but no more than the machine has GPUs. In a SLURM
job, one process runs per requested GPU, on all nodes of the job; too few GPUs are an error.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from paretoken.cli import main
from paretoken.commands.arguments import gpus
from paretoken.errors import UserError
from paretoken.io.escape import terminal
from paretoken.io.ownership import require_ownership
from paretoken.io.text_tables import counted
from paretoken.slurm.allocation import (
    RANK_LOGS,
    STEP,
    Allocation,
    allocation,
    requeue,
    require_gpus,
    step_line,
    torchrun,
)
from paretoken.train.relaunch import run_together, until_it_fits
from paretoken.train.stop_note import STOPPED

#: A machine without any of these has no GPU. The check avoids importing torch, which takes seconds.
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
#: Rendezvous variables of torchrun. They are removed from the environment, so that a process does not
#: wait for others because of a variable in the user's shell.
RENDEZVOUS = (
    "GROUP_RANK", "GROUP_WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "NODE_RANK", "RANK", "ROLE_NAME", "ROLE_RANK", "ROLE_WORLD_SIZE", "WORLD_SIZE",
)  # fmt: skip
#: Seconds that SLURM may take to end a job that it requeues.
REQUEUE_S = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--gpus",
        type=gpus,
        required=True,
        metavar="N",
        help="processes to start, one per GPU; without SLURM fewer if the machine has "
        "fewer (the result is the same: the global batch is fixed)",
    )
    parser.add_argument(
        "--logs",
        type=Path,
        metavar="LOG",
        help="log of the first process; others write LOG-rank1.log, ...",
    )
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="-- COMMAND ...",
        help="the command and its arguments: -- train --stage pretrain ...",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command in this process or under torchrun; in a SLURM job, start it as a job step."""
    for name in RENDEZVOUS:
        os.environ.pop(name, None)
    command = [word for word in arguments.arguments[:1] if word != "--"] + arguments.arguments[1:]
    found = allocation() if arguments.gpus else None
    if found is not None and found.node is None:
        return _as_step(found, arguments, command)
    if arguments.logs is not None:
        os.environ[RANK_LOGS] = str(arguments.logs.with_suffix(""))
    nodes = 1 if found is None else found.nodes
    if found is None:
        processes = min(arguments.gpus, gpus_here()) if arguments.gpus > 1 else 1
    else:
        processes = share(arguments.gpus, nodes)
        require_gpus(found, processes, has_driver(), gpus_here())
        # The signal before the time limit is meant for the training processes, which handle it.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    print(f"launch: {counted(max(1, processes) * nodes, 'process', 'processes')}", flush=True)
    if found is None and processes <= 1:
        return main(command)  # in this process, because another one would repeat all imports
    line = launch_line(command, processes, found)
    if found is None:
        return until_it_fits(lambda: run_together(line), out_folder(command))
    os.execv(line[0], line)  # noqa: S606  (so that signals of a cluster reach the command itself)
    return 0  # not reached: execv replaces this process


def launch_line(command: list[str], processes: int, found: Allocation | None = None) -> list[str]:
    """Return the command line that runs a command in several processes on this machine."""
    program = ["-m", "paretoken", *command]
    nodes = 1 if found is None else found.nodes
    if processes * nodes <= 1:
        return [sys.executable, *program]
    return [*torchrun(found, processes, nodes), *program]


def share(gpus: int, nodes: int) -> int:
    """Return the number of GPUs per node; raise `UserError` if they cannot be divided evenly."""
    if gpus % nodes:
        raise UserError(
            f"{gpus} GPUs cannot be divided evenly among {nodes} nodes; request a multiple of {nodes}"
        )
    return gpus // nodes


def _as_step(found: Allocation, arguments: argparse.Namespace, command: list[str]) -> int:
    """Start this command on all nodes of the job, and requeue the job if a training was stopped."""
    logs = [] if arguments.logs is None else ["--logs", str(arguments.logs)]
    again = [
        sys.executable,
        "-m",
        "paretoken",
        "launch",
        "--gpus",
        str(arguments.gpus),
        *logs,
        "--",
        *command,
    ]
    note = out_folder(command) / STOPPED
    note.unlink(missing_ok=True)
    print(f"launch: SLURM job {found.job}, {counted(found.nodes, 'node')}", flush=True)
    line, environment = step_line(found, again), os.environ | {STEP: "1"}

    def step() -> int:
        return subprocess.run(line, env=environment, check=False).returncode

    code = until_it_fits(step, out_folder(command)) if arguments.gpus > 1 else step()
    if code and note.exists():
        place = terminal(note.read_text().strip())
        print(f"launch: stopped before the time limit, at {place}", flush=True)
        require_ownership(note)
        if requeue(found.job):
            time.sleep(REQUEUE_S)  # SLURM ends this process and requeues the job
        print("launch: SLURM does not requeue the job; the next attempt resumes there", flush=True)
    return code


def out_folder(command: list[str]) -> Path:
    """Return the ``--out`` argument of a command; the working directory without one."""
    if "--out" in command[:-1]:
        return Path(command[command.index("--out") + 1])
    joined = [word.removeprefix("--out=") for word in command if word.startswith("--out=")]
    return Path(joined[-1]) if joined else Path()


def has_driver() -> bool:
    """Return whether this machine has a GPU driver."""
    return any(Path(driver).exists() for driver in DRIVERS)


def gpus_here() -> int:
    """Return how many GPUs this process may use."""
    if not has_driver():
        return 0
    import torch

    return torch.cuda.device_count()
