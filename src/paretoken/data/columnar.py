"""Batches of rows from Parquet files, without letting a small file fill the memory.

A column of one long text a million times takes a few hundred bytes in a file. So the file's own figures
are looked at first, few rows are decoded at a time where texts are stored once for many rows, and what
they unpack to is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretoken.bounded import MIB, require_columns, require_regular
from paretoken.errors import UserError

#: Rows that are decoded at a time, at most.
BATCH = 1024

#: Encodings in which no value is longer than its place in the file. Others (dictionaries, shared
#: prefixes) store what many rows have in common once.
ONE_BY_ONE = frozenset(
    ("PLAIN", "RLE", "BIT_PACKED", "BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY")
)


@dataclass(frozen=True)
class Limits:
    """What a table may unpack to.

    Attributes:
        ratio: all rows together, in multiples of the file's size. Data sets of pictures reach 1, of
            texts 10.
        floor: what any file may unpack to, in bytes, however small it is.
        batch: bytes of the rows that are decoded at a time.
        value: bytes that a value takes as a Python object, at least.
    """

    ratio: float = 200.0
    floor: int = 256 * MIB
    batch: int = 256 * MIB
    value: int = 16

    def of(self, path: Path) -> float:
        """Return the bytes that a file may unpack to."""
        return max(float(self.floor), self.ratio * path.stat().st_size)


class UnpackedRows:
    """Counts what the rows of one file take in memory and refuses too much.

    Args:
        path: the file.
        limits: how much may be.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits, self.total = path, limits, 0
        self.allowed = limits.of(path)

    def add(self, batch: Any) -> None:
        """Count a batch of rows (`UserError` if all of them take more than allowed)."""
        values = batch.num_rows * max(1, batch.num_columns)
        held = sum(unpacked_bytes(column) for column in batch.columns)
        self.require(self.total + max(held, values * self.limits.value))

    def require(self, total: int) -> None:
        """Raise `UserError` if ``total`` bytes are more than allowed; remember them otherwise."""
        if total > self.allowed:
            limits = self.limits
            raise UserError(
                f"{self.path} would unpack to more than {self.allowed:,.0f} bytes; a file may unpack to "
                f"{limits.ratio:g} times its size, or to {limits.floor:,} bytes if that is more"
            )
        self.total = total


def unpacked_bytes(array: Any) -> int:
    """Return the bytes of an Arrow array whose repeated values are written out, at any depth."""
    from pyarrow import types

    kind = array.type
    if types.is_dictionary(kind):
        return unpacked_bytes(array.dictionary_decode())
    if types.is_run_end_encoded(kind):
        return int(len(array) * max(1, array.values.nbytes))  # an upper bound
    if types.is_nested(kind) and not types.is_union(kind):
        parts = array.flatten() if types.is_struct(kind) else [array.values]
        return int(array.nbytes) + sum(unpacked_bytes(part) for part in parts)
    return int(array.nbytes)


def parquet_batches(
    path: Path,
    needed: Sequence[str] = (),
    only_these: bool = False,
    limits: Limits = Limits(),
    most_rows: int = BATCH,
) -> Iterator[Any]:
    """Yield the rows of a Parquet file as Arrow record batches.

    Args:
        path: the file.
        needed: columns that it must have.
        only_these: whether other columns are left out.
        limits: how much it may unpack to.
        most_rows: rows of a batch, at most.

    Raises:
        UserError: it is not a whole Parquet file, lacks a column, or unpacks to too much.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    require_regular(path)
    try:
        with ParquetFile(path) as file:
            require_columns(path, file.metadata.num_columns)
            _require_named(path, file.schema_arrow.names, needed)
            counted = UnpackedRows(path, limits)
            counted.require(_declared(file.metadata, limits))
            counted.total = 0
            columns = list(needed) if only_these else None
            rows = min(most_rows, _rows_at_a_time(file.metadata, limits))
            for batch in file.iter_batches(rows, columns=columns, use_threads=False):
                counted.add(batch)
                yield batch
    except (OSError, ArrowException, MemoryError) as error:
        raise UserError(f"{path} is not a whole Parquet file: {error}") from error


def require_parquet(path: Path, needed: Sequence[str]) -> None:
    """Check that a Parquet file has some columns, by its footer alone.

    Raises:
        UserError: it is not a Parquet file, or lacks a column.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    require_regular(path)
    try:
        names = read_schema(path).names
    except (OSError, ArrowException, MemoryError) as error:
        raise UserError(f"{path} is not a whole Parquet file: {error}") from error
    require_columns(path, len(names))
    _require_named(path, names, needed)


def _require_named(path: Path, names: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        have = ", ".join(names)
        raise UserError(f"{path} has no column {', '.join(missing)}; its columns are: {have}")


def _declared(metadata: Any, limits: Limits) -> int:
    """Return the bytes that the file says its rows take when they are decompressed."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    values = metadata.num_rows * max(1, metadata.num_columns)
    stored = sum(max(0, group.total_byte_size) for group in groups)
    return int(max(values * limits.value, stored))


def _rows_at_a_time(metadata: Any, limits: Limits) -> int:
    """Return how many rows can be decoded together when each holds the longest value of its column.

    Only values that are stored once for many rows can be longer together than their column is in the
    file.
    """
    worst = 1
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = (group.column(index) for index in range(group.num_columns))
        stored = [c.total_uncompressed_size for c in columns if not ONE_BY_ONE.issuperset(c.encodings)]
        worst = max(worst, sum(stored))
    return max(1, limits.batch // worst)
