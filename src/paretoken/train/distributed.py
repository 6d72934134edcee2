"""The processes that train one stage together, and their communication.

A launcher such as ``torchrun`` starts them and sets their ranks in environment variables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import distributed
from torch.distributed import HashStore  # type: ignore[attr-defined]

Value = TypeVar("Value")

#: Environment variables of a launcher, with the values for a process that was started alone.
ALONE = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}


def rank() -> int:
    """Return the rank of this process; the process of rank 0 writes the files."""
    return int(os.environ.get("RANK", "0"))


def processes() -> int:
    """Return the number of processes that train together, one per device."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def process_group(even_alone: bool = False) -> Iterator[None]:
    """Join the process group within a ``with`` block.

    Args:
        even_alone: whether to create a group for a single process, too, which DeepSpeed needs; it uses
            neither MPI nor a port.
    """
    alone = "RANK" not in os.environ
    if (alone and not even_alone) or distributed.is_initialized():
        yield
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    if alone:
        os.environ.update(ALONE)
        distributed.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
    else:
        distributed.init_process_group(backend)
    whole = False
    try:
        yield
        # All processes leave together: one that ends while another still writes the result may abort in
        # the threads of its backend, and the launcher would then terminate the other one.
        distributed.barrier()
        whole = True
    finally:
        # NCCL ends communication collectively: a process that failed, as its memory ran out, would wait
        # for others, which wait for it. It ends without that, and the launcher ends the others.
        if whole or alone or not cuda:
            distributed.destroy_process_group()
        forget_group()
        if alone:
            for name in ALONE:
                del os.environ[name]


def forget_group() -> None:
    """Reset the global state of libraries, so that this process can train again from a clean state."""
    from accelerate.state import AcceleratorState
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    AcceleratorState._reset_state(reset_partial_state=True)
    unset: Callable[[], None] = unset_hf_deepspeed_config  # untyped
    unset()  # otherwise models would still be loaded partitioned


def from_main(make: Callable[[], Value]) -> Value:
    """Return, in all processes, what ``make`` returns in process 0."""
    if not distributed.is_initialized():
        return make()
    box = [make() if rank() == 0 else None]
    distributed.broadcast_object_list(box, src=0)
    return box[0]  # type: ignore[return-value]


def gathered(value: Value) -> list[Value]:
    """Return the values of all processes, in the order of their ranks."""
    if not distributed.is_initialized():
        return [value]
    values: list[Value] = [value] * processes()
    distributed.all_gather_object(values, value)
    return values


def smallest(value: float) -> float:
    """Return the smallest of the values of all processes."""
    return min(gathered(value))


def means(values: Sequence[float], device: torch.device) -> list[float]:
    """Return the mean of each value over all processes."""
    if not distributed.is_initialized() or processes() == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    return [float(value) / processes() for value in total]


def wait_for_all() -> None:
    """Wait until all processes have reached this point."""
    if distributed.is_initialized():
        distributed.barrier()
