"""Opening untrusted files of weights: headers are bounded, and no code is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from paretoken.errors import UserError
from paretoken.io.bounded import MIB, require_regular
from paretoken.model_files.library_errors import explained
from paretoken.model_files.model_json import shards_of
from paretoken.model_files.needed_files import WEIGHTS
from paretoken.model_files.pickled_weights import pickled_sizes

#: Most bytes of a safetensors file's header, which has a hundred for each tensor.
LONGEST_HEADER = 16 * MIB


@contextmanager
def open_safetensors(path: Path) -> Iterator[Any]:
    """Yield an open safetensors file.

    Raises:
        UserError: it is missing, or not a whole safetensors file, which may show only in the block.
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
            f"{path} is not a whole safetensors file: its header has {length:,} bytes; at most "
            f"{LONGEST_HEADER:,} are read"
        )


def stored_parameters(folder: Path, weights: Sequence[str]) -> int:
    """Return how many numbers the weight files hold; each must be readable and complete.

    Args:
        folder: folder of the files.
        weights: their names, with their index if there is one.

    Raises:
        UserError: a file is damaged, or the index names a file or tensor that is missing.
    """
    index = next((name for name in weights if name.endswith(".index.json")), None)
    tensors = {name: tensor_sizes(folder / name) for name in weights if name != index}
    if index is not None:
        _require_indexed(folder / index, tensors)
    return sum(size for file in tensors.values() for size in file.values())


def loaded_files(folder: Path) -> list[str]:
    """Return the weight files that `from_pretrained` reads, with their index if there is one.

    Raises:
        UserError: there are none, or their index is damaged.
    """
    name = next((name for name, _ in WEIGHTS if (folder / name).is_file()), None)
    if name is None:
        wanted = ", ".join(name for name, _ in WEIGHTS)
        raise UserError(f"{folder} holds no weights that `from_pretrained` loads: none of {wanted}")
    shards = shards_of(folder / name).values() if name.endswith(".index.json") else ()
    return [name, *sorted(set(shards))]


def _require_indexed(path: Path, tensors: Mapping[str, Mapping[str, int]]) -> None:
    for tensor, name in shards_of(path).items():
        if tensor not in tensors.get(name, {}):
            what = f"has no tensor {tensor}" if name in tensors else "is missing"
            raise UserError(f"{path} names {name}, which {what}; fetch the model again")


def tensor_sizes(path: Path) -> dict[str, int]:
    """Return how many numbers each tensor of a file has, without reading them.

    Raises:
        UserError: the file is damaged, or holds other objects than tensors by name.
    """
    if path.suffix == ".safetensors":
        with open_safetensors(path) as stream:
            return {n: prod(stream.get_slice(n).get_shape()) for n in stream.keys()}  # noqa: SIM118
    return pickled_sizes(path)
