"""Opening untrusted ``.npy`` files: nothing is unpickled, and headers are validated.

The header of such a file is text that Python evaluates. It may be malformed in many ways, announce more
numbers than the file has, or announce another type than the reader expects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from paretoken.errors import UserError
from paretoken.io.bounded import require_regular

#: Most bytes of a header; those of arrays without named fields have about a hundred.
LONGEST_HEADER = 10_000


def open_array(path: Path, dtype: DTypeLike, dimensions: int, advice: str) -> NDArray[Any]:
    """Return the array in a ``.npy`` file, memory-mapped, read-only.

    Args:
        path: the file.
        dtype: the required type of its numbers.
        dimensions: the required number of dimensions.
        advice: what to do about a damaged file, for messages.

    Raises:
        UserError: it is missing, not a whole ``.npy`` file, or of another type or number of dimensions.
    """
    try:
        require_regular(path)
        _require_short_header(path)
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except UserError as error:
        raise UserError(f"{error}; {advice}") from error
    except Exception as error:  # numpy and Python's parser can raise anything for a malformed header
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise UserError(f"{path} is damaged: {reason}; {advice}") from error
    if array.dtype != np.dtype(dtype) or array.ndim != dimensions:
        raise UserError(
            f"{path} holds {array.dtype} in {array.ndim} dimensions instead of {np.dtype(dtype)} in "
            f"{dimensions}; {advice}"
        )
    return array


def _require_short_header(path: Path) -> None:
    """Raise `UserError` if the header is too long: numpy reads it whole before it checks the length."""
    with path.open("rb") as stream:
        start = stream.read(12)
    length = int.from_bytes(start[8:10] if start[6:7] == b"\x01" else start[8:12], "little")
    if length > LONGEST_HEADER:
        raise UserError(f"{path} is damaged: its header has {length:,} bytes")
