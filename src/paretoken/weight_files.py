"""Opening files of weights that somebody else made: headers are bounded, and nothing is run."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from paretoken.bounded import MIB, require_regular
from paretoken.errors import UserError
from paretoken.library_errors import explained

#: Bytes of a safetensors file's header: a hundred for each tensor.
LONGEST_HEADER = 16 * MIB


@contextmanager
def open_safetensors(path: Path) -> Iterator[Any]:
    """Yield an open safetensors file.

    Raises:
        UserError: it is missing, or not a whole safetensors file, which the block may find out, too.
    """
    require_short_header(path)
    with explained(f"{path} is not a whole safetensors file"), safe_open(path, framework="pt") as stream:
        yield stream


def require_short_header(path: Path) -> None:
    """Raise `UserError` if the header of a safetensors file is longer than `LONGEST_HEADER`."""
    require_regular(path)
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if length > LONGEST_HEADER:
        raise UserError(
            f"{path} is not a whole safetensors file: its header has {length:,} bytes, at most "
            f"{LONGEST_HEADER:,} are read"
        )


def tensor_sizes(path: Path) -> dict[str, int]:
    """Return how many numbers each tensor of a file has, without reading them.

    Raises:
        UserError: the file is damaged, or holds something else than tensors by name.
    """
    if path.suffix == ".safetensors":
        with open_safetensors(path) as stream:
            return {n: prod(stream.get_slice(n).get_shape()) for n in stream.keys()}  # noqa: SIM118
    require_regular(path)
    with explained(f"{path} is damaged"):
        content = _unpickled(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no tensors by name; take the file from its original source")
    return {str(name): value.numel() for name, value in content.items() if hasattr(value, "numel")}


def _unpickled(path: Path) -> Any:
    import torch

    # Only tensors are unpickled, never programs; files of before torch 1.6 cannot be mapped.
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
