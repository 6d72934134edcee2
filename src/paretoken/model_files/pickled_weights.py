"""Validating pickled weights (``.bin``, from `torch.save`) before `from_pretrained` reads them.

A pickle is a program. Only its tensors are built (``weights_only``), but it could also describe lists of
a billion entries, or tensors that are larger than the file; a zip of one could unpack to gigabytes.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.io.bounded import MIB, limited_memory, require_regular
from paretoken.model_files.library_errors import explained

#: Most bytes of the pickle in a file: it has some 150 for each tensor; the numbers are outside of it.
LONGEST_PICKLE = 4 * MIB
#: Most bytes of a file from before torch 1.6 (2020), in which the pickle and the numbers are one stream.
LARGEST_OLD_FILE = 4096 * MIB
#: Bytes of memory that reading may take in addition to the file itself.
MEMORY = 1024 * MIB
#: How many tensors may share the same numbers: an output layer tied to the embedding makes two.
MOST_NAMES = 4

_ZIP = b"PK\3\4"


def pickled_sizes(path: Path) -> dict[str, int]:
    """Return how many numbers each tensor of a pickled file has; the memory that this takes is bounded.

    Raises:
        UserError: the file is damaged or compressed, holds other objects than tensors by name, or
            tensors that are larger than the file.
    """
    require_regular(path)
    import torch  # before memory is limited

    size = path.stat().st_size
    try:
        with explained(f"{path} is damaged"), limited_memory(size + MEMORY):
            is_zip = _require_plain(path, size)
            # Only tensors are unpickled, never code; files from before torch 1.6 cannot be mapped.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except MemoryError as error:
        raise UserError(
            f"{path} is damaged: it has {size:,} bytes, and reading it takes more than "
            f"{(size + MEMORY) // MIB:,} MiB; take the file from its original source"
        ) from error
    tensors = _tensors(path, content)
    described = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if described > MOST_NAMES * size:
        raise UserError(
            f"{path} describes tensors of {described:,} bytes, and has {size:,}; take the file from its "
            "original source"
        )
    return {name: tensor.numel() for name, tensor in tensors.items()}


def _require_plain(path: Path, size: int) -> bool:
    """Require that nothing is compressed, and that the pickle is short; return whether it is a zip."""
    with path.open("rb") as stream:
        is_zip = stream.read(len(_ZIP)) == _ZIP  # as torch decides
    if not is_zip and size > LARGEST_OLD_FILE:
        raise UserError(
            f"{path} has {size:,} bytes and is a pickle from before torch 1.6, of which at most "
            f"{LARGEST_OLD_FILE:,} are read; save it again as safetensors"
        )
    if not is_zip:
        return False
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
                raise UserError(
                    f"{path} holds {member.filename[:80]!r} in compressed form, as torch never saves "
                    "it; take the file from its original source"
                )
            if member.filename.endswith(".pkl") and member.file_size > LONGEST_PICKLE:
                raise UserError(
                    f"{path} holds a pickle of {member.file_size:,} bytes, at most {LONGEST_PICKLE:,} "
                    "are read; save it again as safetensors"
                )
    return True


def _tensors(path: Path, content: Any) -> dict[str, Any]:
    import torch

    if not isinstance(content, dict):
        raise UserError(f"{path} holds no tensors by name; take the file from its original source")
    return {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
