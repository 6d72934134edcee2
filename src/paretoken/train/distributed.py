"""The processes that train one stage together: who they are, and what they agree on.

A launcher such as ``torchrun`` starts them and says by environment variables which one each is.
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

#: What a launcher tells each process; a process that was started alone gets these values.
ALONE = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}


def rank() -> int:
    """Return this process's number; 0 writes."""
    return int(os.environ.get("RANK", "0"))


def processes() -> int:
    """Return how many processes train together, one per device."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def process_group(even_alone: bool = False) -> Iterator[None]:
    """Join the other processes for the length of the block.

    Args:
        even_alone: make a group of one, too, as DeepSpeed needs it; no MPI and no port is used.
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
    try:
        yield
        # All leave together: a process that ends while another still writes the result may abort in
        # the threads of its backend, and the launcher would then end the other one.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
        forget_group()
        if alone:
            for name in ALONE:
                del os.environ[name]


def forget_group() -> None:
    """Drop what libraries remember of one training, so that the next one of this process starts anew."""
    from accelerate.state import AcceleratorState
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    AcceleratorState._reset_state(reset_partial_state=True)
    unset: Callable[[], None] = unset_hf_deepspeed_config  # untyped
    unset()  # with it, models would go on being loaded in parts


def from_main(make: Callable[[], Value]) -> Value:
    """Return what ``make`` returns in process 0, in all processes."""
    if not distributed.is_initialized():
        return make()
    box = [make() if rank() == 0 else None]
    distributed.broadcast_object_list(box, src=0)
    return box[0]  # type: ignore[return-value]


def gathered(value: Value) -> list[Value]:
    """Return what each process gives, in the order of the processes."""
    if not distributed.is_initialized():
        return [value]
    values: list[Value] = [value] * processes()
    distributed.all_gather_object(values, value)
    return values


def smallest(value: float) -> float:
    """Return the smallest of what each process gives."""
    return min(gathered(value))


def means(values: Sequence[float], device: torch.device) -> list[float]:
    """Return the mean over all processes of each of some values."""
    if not distributed.is_initialized() or processes() == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    return [float(value) / processes() for value in total]


def wait_for_all() -> None:
    """Wait until all processes are here."""
    if distributed.is_initialized():
        distributed.barrier()
