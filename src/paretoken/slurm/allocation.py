"""The SLURM allocation of a job: its nodes and GPUs, and how its processes are launched there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.text_tables import counted
from paretoken.slurm.programs import ask

#: Set in the processes that `srun` starts, so that they do not start srun again.
STEP = "PARETOKEN_STEP"
#: Prefix of the paths of logs of all processes except the first; see `own_log`.
RANK_LOGS = "PARETOKEN_RANK_LOGS"
#: A range below the ports that kernels assign to clients (from 32768).
FIRST_PORT, PORTS = 15_000, 17_000


@dataclass(frozen=True)
class Allocation:
    """A job's share of the cluster.

    Attributes:
        job: number of the job.
        nodes: number of its nodes.
        node: number of the node of this process, from 0; None outside of a step.
        gpus: GPUs that SLURM allocated on this node.
        cpus: CPUs of each node.
    """

    job: int
    nodes: int
    node: int | None
    gpus: int
    cpus: int


def allocation(environment: Mapping[str, str] = os.environ) -> Allocation | None:
    """Return this process's allocation; None outside of SLURM (`UserError` for invalid variables)."""
    if "SLURM_JOB_ID" not in environment:
        return None
    devices = environment.get("CUDA_VISIBLE_DEVICES") or environment.get("ROCR_VISIBLE_DEVICES") or ""
    listed = len([name for name in devices.split(",") if name])
    return Allocation(
        job=_whole(environment, "SLURM_JOB_ID", 0),
        nodes=_whole(environment, "SLURM_JOB_NUM_NODES", 1),
        node=_whole(environment, "SLURM_NODEID", 0) if STEP in environment else None,
        gpus=_whole(environment, "SLURM_GPUS_ON_NODE", listed),
        cpus=_whole(environment, "SLURM_CPUS_PER_TASK", 1),
    )


def _whole(environment: Mapping[str, str], name: str, otherwise: int) -> int:
    found = environment.get(name) or str(otherwise)
    if not found.isdecimal():
        raise UserError(
            f"the environment has {name}={found}, where SLURM writes a whole number; "
            "unset SLURM's variables to run outside of it"
        )
    return int(found)


def step_line(found: Allocation, command: Sequence[str]) -> list[str]:
    """Return the command line that starts a command once on each node of a job.

    SLURM's warning before the time limit reaches steps only, and a step ends as a whole when one of its
    tasks fails. With ``--mem=0`` and without ``--gpus-per-task``, the step has all memory and GPUs of
    the job.
    """
    nodes = str(found.nodes)
    return [
        "srun", "--nodes", nodes, "--ntasks", nodes, "--ntasks-per-node=1",
        f"--cpus-per-task={found.cpus}", "--mem=0", "--kill-on-bad-exit=1", "--unbuffered", *command,
    ]  # fmt: skip


def torchrun(found: Allocation | None, processes: int, nodes: int) -> list[str]:
    """Return the command line that launches a node's processes.

    On one node torchrun chooses a free port itself. On several, all must know their rendezvous: the
    first node, at a port that follows from the number of the job, so that no two jobs share it.

    Args:
        found: the allocation, if there is one.
        processes: number of processes on each node.
        nodes: number of nodes of the job.
    """
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    if found is None or nodes == 1:
        return [*line, "--standalone"]
    port = FIRST_PORT + found.job % PORTS
    meeting = ["--master-addr", first_address(), "--master-port", str(port)]
    return [*line, "--nnodes", str(nodes), "--node-rank", str(found.node), *meeting]


def first_address() -> str:
    """Return the address of the job's first node."""
    nodes = os.environ["SLURM_JOB_NODELIST"]
    names = _output_of("scontrol", "show", "hostnames", nodes).split()
    return _output_of("sinfo", "--all", "--noheader", f"--nodes={names[0]}", "--format=%o").split()[0]


def require_gpus(found: Allocation, wanted: int, driver: bool, usable: int) -> None:
    """Require that this node has the GPUs that the job requested.

    Args:
        found: the allocation.
        wanted: GPUs per node.
        driver: whether the node has a GPU driver at all.
        usable: GPUs that PyTorch finds.

    Raises:
        UserError: it does not; training would be slow, or never start.
    """
    host = os.environ.get("SLURMD_NODENAME", os.uname().nodename)
    if found.gpus != wanted:
        raise UserError(
            f"node {host}: {counted(wanted, 'GPU was', 'GPUs were')} requested and SLURM allocated "
            f"{found.gpus}; see the request in the job's log, and per_node in the site's file"
        )
    if os.environ.get("PARETOKEN_DEVICE") == "cpu":
        return  # the user's choice: GPUs are only requested, as in the tests
    if usable != wanted:
        problem = f"PyTorch finds {usable}" if driver else "there is no GPU driver"
        raise UserError(
            f"node {host}: SLURM allocated {counted(wanted, 'GPU')}, but {problem}; exclude the node "
            f"(exclude: [{host}] in the site's file) or notify the administrators. "
            "PARETOKEN_DEVICE=cpu trains on CPUs anyway"
        )


def own_log() -> None:
    """Redirect the output of each process except the first to its own log, if the launcher names one.

    Raises:
        UserError: the log is a link, whose target would be written, or cannot be written.
    """
    prefix, number = os.environ.get(RANK_LOGS), int(os.environ.get("RANK", "0"))
    if not prefix or number == 0:
        return
    path = Path(f"{prefix}-rank{number}.log")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        reason = "is a link; remove it" if path.is_symlink() else f"cannot be written: {error.strerror}"
        raise UserError(f"{path} {reason}") from error
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def requeue(job: int) -> bool:
    """Ask SLURM to requeue a job; return whether it accepts."""
    return ask(["scontrol", "requeue", str(job)]).output is not None


def _output_of(*command: str) -> str:
    answer = ask(command)
    if not (answer.output or "").strip():
        raise UserError(f"`{' '.join(command)}` failed: {answer.complaint or 'no answer'}")
    return str(answer.output)
