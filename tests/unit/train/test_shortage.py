"""Telling a lack of device memory from other errors, and the note about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from paretoken.errors import UserError
from paretoken.train.shortage import LIMIT, Shortage, is_shortage, note_shortage, read_shortage


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ..."),
        torch.cuda.OutOfMemoryError(""),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        torch.distributed.DistBackendError(
            "NCCL error: unhandled cuda error\nLast error:\nCuda failure 2 'out of memory'"
        ),
    ],
)
def test_a_lack_of_device_memory_is_known(error: Exception) -> None:
    assert is_shortage(error)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"
        ),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA"),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. out of memory?"),
        OSError(12, "Cannot allocate memory"),
        UserError("CUDA out of memory"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_none(error: BaseException) -> None:
    assert not is_shortage(error)


def test_the_note_lists_what_did_not_fit(tmp_path: Path) -> None:
    assert read_shortage(tmp_path) is None
    assert note_shortage(tmp_path, 12) == Shortage(6, (12,))
    assert note_shortage(tmp_path, 12) == Shortage(6, (12,)), "another process ran out, too"
    assert note_shortage(tmp_path, 5) == Shortage(2, (12, 5))
    assert read_shortage(tmp_path) == Shortage(2, (12, 5))
    (tmp_path / LIMIT).write_text('{"conversations": 3}')  # of a version without the list
    assert read_shortage(tmp_path) == Shortage(3, ())


@pytest.mark.parametrize(
    "content", [{}, {"conversations": 0}, {"conversations": True}, {"conversations": "4"},
                {"conversations": 4, "ran_out_with": 8}, {"conversations": 4, "ran_out_with": [0]}],
)  # fmt: skip
def test_a_damaged_note_is_an_error(tmp_path: Path, content: object) -> None:
    (tmp_path / LIMIT).write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"{LIMIT} holds no sizes of micro batches; delete it"):
        read_shortage(tmp_path)
