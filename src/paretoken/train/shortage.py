"""What a training notes when a device's memory runs out, so that the next attempt needs less.

`paretoken launch` reads the note in a process without PyTorch.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.files import read_object, write_json

#: The note's name; it is beside the checkpoints.
LIMIT = "micro_batch.json"

#: How libraries say that a device's memory ran out, where PyTorch raises no `OutOfMemoryError`: the
#: driver, libraries of CUDA and NCCL allocate memory themselves. A lack of host memory reads otherwise.
NO_DEVICE_MEMORY = re.compile(
    r"(CUDA|HIP|XPU)[^\n]{0,40}out of memory|cu(BLAS|DNN|SOLVER|SPARSE)_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Shortage:
    """What is known after a device's memory ran out.

    Attributes:
        conversations: the most conversations of a micro batch from now on.
        ran_out_with: the micro batches with which memory ran out, the largest first.
    """

    conversations: int
    ran_out_with: tuple[int, ...]


def is_shortage(error: BaseException) -> bool:
    """Return whether an error means that the memory of a device, not of the CPU, ran out."""
    named = any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
    return named or (isinstance(error, RuntimeError) and bool(NO_DEVICE_MEMORY.search(str(error))))


def read_shortage(checkpoints: Path) -> Shortage | None:
    """Return the note in a folder of checkpoints; None if there is none.

    Raises:
        UserError: it is damaged.
    """
    path = checkpoints / LIMIT
    if not path.exists():
        return None
    content = read_object(path)
    limit, earlier = content.get("conversations"), content.get("ran_out_with", [])
    if not (_is_size(limit) and isinstance(earlier, list) and all(map(_is_size, earlier))):
        raise UserError(f"{path} holds no sizes of micro batches; delete it, and start again")
    return Shortage(content["conversations"], tuple(earlier))


def note_shortage(checkpoints: Path, micro_batch: int) -> Shortage:
    """Note that memory ran out with a micro batch above 1, and return the note: half as much is next.

    Several processes may note the same shortage.
    """
    before = read_shortage(checkpoints)
    earlier = () if before is None else before.ran_out_with
    sizes = tuple(sorted({*earlier, micro_batch}, reverse=True))
    made = Shortage(micro_batch // 2, sizes)
    write_json(checkpoints / LIMIT, asdict(made))
    return made


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 1
