"""Limits on the memory that rows of Arrow tables take as Python objects.

A column with one long text a million times takes a few hundred bytes in a file, and so does a list of a
hundred million times `False`. The memory is computed from lengths and numbers of values, without
unpacking them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paretoken.errors import UserError
from paretoken.io.bounded import MIB

#: Approximate bytes of Python objects: a number or date, a text or bytes (without their content), a list
#: (without its places), a place in a list. None, True and False exist once.
NUMBER, TEXT, LIST, PLACE = 32, 50, 56, 8


@dataclass(frozen=True)
class Limits:
    """The limits of what a table may unpack to.

    Attributes:
        ratio: bytes of all rows together, in multiples of the file's size. Data sets of pictures reach
            1, of texts 30.
        floor: bytes that any file may unpack to, however small it is.
        batch: bytes of the rows that are decoded at a time, by the sizes that the file declares.
        working: bytes that decoding, or turning a batch of rows into Python objects, may take. A Parquet
            file with a large row group may take more to decode, see `working_for`.
    """

    ratio: float = 200.0
    floor: int = 256 * MIB
    batch: int = 256 * MIB
    working: int = 512 * MIB

    def of(self, path: Path) -> float:
        """Return the bytes that a file may unpack to."""
        return max(float(self.floor), self.ratio * path.stat().st_size)

    def working_for(self, path: Path, row_group: int) -> int:
        """Return the bytes that decoding may take if the largest row group has ``row_group`` bytes.

        A column of pictures can be one page, which is in memory as it is stored, decompressed and
        copied. Pictures do not compress and texts compress to a tenth, so that at most 16 times the
        file's size counts.
        """
        return self.working + 4 * min(row_group, 16 * path.stat().st_size)


LIMITS = Limits()


class UnpackedRows:
    """The running total of the memory of one file's rows; raises when it exceeds the limits.

    Args:
        path: the file.
        limits: the limits of what it may unpack to.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits, self.total = path, limits, 0
        self.allowed = limits.of(path)

    def add(self, batch: Any) -> None:
        """Count a batch of rows (`UserError` if all of them take more than allowed)."""
        self.total += held_by_rows(batch)
        self.require(self.total)

    def require(self, total: int) -> None:
        """Raise `UserError` if ``total`` bytes are more than allowed."""
        if total > self.allowed:
            limits = self.limits
            raise UserError(
                f"{self.path} would unpack to more than {self.allowed:,.0f} bytes; a file may unpack to "
                f"{limits.ratio:g} times its size, or to {limits.floor:,} bytes if that is more"
            )


def record_bytes(names: int) -> int:
    """Return the approximate bytes of a `dict` with ``names`` keys, without its values."""
    return 64 if names == 0 else 184 + 32 * max(0, names - 5)


def held_by_rows(batch: Any) -> int:
    """Return the approximate bytes that the rows of an Arrow record batch take as Python objects.

    Offsets must lie within the batch (`RecordBatch.validate`), but may be wrong among themselves.
    """
    own = batch.num_rows * record_bytes(batch.num_columns)
    return int(own + sum(held_bytes(column) for column in batch.columns))


def held_bytes(array: Any) -> int:
    """Return the bytes that the values of an Arrow array take as Python objects, at any depth.

    Raises:
        UserError: its type is not one of those that `require_countable` allows.
    """
    from pyarrow import ExtensionArray

    if isinstance(array, ExtensionArray):
        return held_bytes(array.storage)
    kind = kind_of(array.type)
    if kind is None:
        raise UserError(f"values of type {array.type} are not supported")
    return int(COUNTERS[kind](array))


def require_countable(path: Path, schema: Any, refused: Collection[str] = ()) -> None:
    """Raise `UserError` if a column has an unsupported type, at any depth.

    Args:
        path: the file.
        schema: its Arrow schema.
        refused: kinds, see `kind_of`, that are also unsupported in this file.
    """
    from pyarrow import BaseExtensionType

    def fits(made: Any) -> bool:
        if isinstance(made, BaseExtensionType):
            return fits(made.storage_type)
        kind = kind_of(made)
        if kind is None or kind in refused:
            return False
        inside = [made.field(index).type for index in range(made.num_fields)]
        return all(fits(each) for each in ([made.value_type] if kind == "dictionary" else inside))

    for field in schema:
        if not fits(field.type):
            raise UserError(
                f"{path}, column {field.name!r}: values of type {field.type} are not supported; write "
                "plain numbers, texts, bytes, dates, lists and records"
            )


def kind_of(made: Any) -> str | None:
    """Return the kind of storage of an Arrow type, a key of `COUNTERS`; None if it is unsupported."""
    from pyarrow import types

    tests = {
        "constant": (types.is_null, types.is_boolean),
        "number": (types.is_primitive, types.is_decimal),
        "bytes of one size": (types.is_fixed_size_binary,),
        "text": (types.is_string, types.is_binary, types.is_large_string, types.is_large_binary),
        "view": (types.is_string_view, types.is_binary_view),
        "list of one size": (types.is_fixed_size_list,),
        "list": (types.is_list, types.is_large_list, types.is_map),
        "record": (types.is_struct,),
        "dictionary": (types.is_dictionary,),
    }
    return next((kind for kind, those in tests.items() if any(test(made) for test in those)), None)


def _bounds(array: Any, width: Any) -> tuple[int, int]:
    """Return the first and the last offset of texts, lists or maps; ``width`` is the offsets' type."""
    if len(array) == 0:
        return 0, 0
    offsets = np.frombuffer(array.buffers()[1], width)
    return int(offsets[array.offset]), int(offsets[array.offset + len(array)])


def _texts(array: Any) -> int:
    from pyarrow import types

    large = types.is_large_string(array.type) or types.is_large_binary(array.type)
    first, last = _bounds(array, np.int64 if large else np.int32)
    return len(array) * TEXT + last - first


def _views(array: Any) -> int:
    """Return the bytes of texts that are stored as views of buffers, which they can share."""
    if len(array) == 0:
        return 0
    views = np.frombuffer(array.buffers()[1], np.int32)[::4]  # 16 bytes each, the length first
    lengths = views[array.offset : array.offset + len(array)]
    return len(array) * TEXT + int(np.maximum(lengths, 0).sum(dtype=np.int64))


def _fixed_lists(array: Any) -> int:
    size = array.type.list_size
    return _of_lists(array, array.values.slice(array.offset * size, len(array) * size))


def _lists(array: Any) -> int:
    from pyarrow import types

    first, last = _bounds(array, np.int64 if types.is_large_list(array.type) else np.int32)
    return _of_lists(array, array.values.slice(first, last - first))


def _of_lists(array: Any, elements: Any) -> int:
    return len(array) * LIST + len(elements) * PLACE + held_bytes(elements)


def _records(array: Any) -> int:
    fields = [array.field(index) for index in range(array.type.num_fields)]
    return len(array) * record_bytes(len(fields)) + sum(held_bytes(field) for field in fields)


def _dictionary(array: Any) -> int:
    """Return the bytes of values that are stored once for many rows, each as often as it appears."""
    from pyarrow import compute

    values = array.dictionary
    if len(array) == 0 or len(values) == 0:
        return 0
    kind = kind_of(values.type)
    if kind == "text":
        lengths = compute.binary_length(values).take(array.indices).cast("int64")
        return len(array) * TEXT + int(compute.sum(lengths).as_py() or 0)
    if kind in ("constant", "number", "bytes of one size"):
        return len(array) * held_bytes(values.slice(0, 1))
    return len(array) * held_bytes(values)  # an upper bound


#: Functions that return the bytes of an array's values as Python objects, by kind of storage.
COUNTERS: dict[str, Callable[[Any], int]] = {
    "constant": lambda array: 0,
    "number": lambda array: len(array) * NUMBER,
    "bytes of one size": lambda array: len(array) * (TEXT + int(array.type.byte_width)),
    "text": _texts,
    "view": _views,
    "list of one size": _fixed_lists,
    "list": _lists,
    "record": _records,
    "dictionary": _dictionary,
}
