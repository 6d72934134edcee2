"""Writing a Parquet file in small parts without a row group for each part.

Readers process each row group separately, so thousands of them make a file large and slow.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
from pyarrow import parquet

from paretoken.io.bounded import MIB

#: Rows or bytes that are buffered before they are written as a row group.
ROWS, SIZE = 1000, 64 * MIB


class GatheringWriter:
    """A writer of tables into one Parquet file, in row groups of about `ROWS` rows or `SIZE` bytes.

    Args:
        path: the file; it is only created if a table is added.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: parquet.ParquetWriter | None = None
        self.gathered: list[pa.Table] = []

    def __enter__(self) -> Self:
        return self

    def add(self, table: pa.Table) -> None:
        """Add the rows of a table.

        Raises:
            pyarrow.ArrowException, ValueError: its columns differ from those of the first table.
        """
        if self.writer is None:
            self.writer = parquet.ParquetWriter(self.path, table.schema)
        self.gathered.append(table.cast(self.writer.schema))
        rows = sum(len(each) for each in self.gathered)
        if rows >= ROWS or sum(each.nbytes for each in self.gathered) >= SIZE:
            self._write()

    def _write(self) -> None:
        if self.writer is not None and self.gathered:
            self.writer.write_table(pa.concat_tables(self.gathered))
            self.gathered = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._write()
        finally:
            if self.writer is not None:
                self.writer.close()
