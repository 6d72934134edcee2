"""`paretoken launch`: another command of this program, once per GPU that the job may use."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from paretoken.commands.arguments import whole

#: A machine without any of these has no GPU: torch, whose import takes seconds, need not be asked.
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--gpus", type=whole, required=True, metavar="N",
                        help="processes to start, one per GPU; fewer if the machine has fewer (the "
                             "result is the same: the global batch is fixed)")  # fmt: skip
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- COMMAND ...",
                        help="the command and its arguments: -- train --stage pretrain ...")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Become the command, or the launcher of its processes."""
    command = [word for word in arguments.arguments[:1] if word != "--"] + arguments.arguments[1:]
    processes = min(arguments.gpus, gpus_here()) if arguments.gpus > 1 else 1
    line = launch_line(command, processes)
    print(f"launch: {max(1, processes)} process(es)", flush=True)
    os.execv(line[0], line)  # noqa: S606  (signals of a cluster then reach the command itself)


def launch_line(command: list[str], processes: int) -> list[str]:
    """Return the command line that runs a command in some processes on this machine."""
    program = ["-m", "paretoken", *command]
    if processes <= 1:
        return [sys.executable, *program]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [sys.executable, *launcher, *program]


def gpus_here() -> int:
    """Return how many GPUs this process may use."""
    if not any(Path(driver).exists() for driver in DRIVERS):
        return 0
    import torch

    return torch.cuda.device_count()
