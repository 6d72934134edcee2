"""Pictures that the rows of a data set hold, read from its files when they are needed.

The names of all pictures are read once, in little memory. A picture is then read from its place: from an
Arrow stream that is mapped into memory, or from its row group of a Parquet file.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from paretoken.data.arrow_messages import require_uncompressed
from paretoken.data.columnar import Decoding, rows_of
from paretoken.data.images import stored_images
from paretoken.data.parquet_footer import largest_row_group, rows_at_a_time
from paretoken.data.rows import arrow_files, iter_rows, read_rows
from paretoken.data.unpacked import LIMITS, Limits
from paretoken.errors import UserError
from paretoken.io.bounded import MIB, require_regular
from paretoken.io.escape import shown

#: The column with the pictures.
COLUMN = "image"

#: Limits of the rows of a Parquet file that are decoded together and kept for the next picture.
CHUNK = Limits(batch=64 * MIB)


#: A Parquet file of up to this many bytes is read at once, and so is one with a larger row group: each
#: picture means decoding half a row group.
SMALL = LARGEST_GROUP = 64 * MIB


def images_of(path: Path) -> Mapping[str, bytes]:
    """Return the encoded pictures that the rows of a data set hold, by name.

    They are read when they are needed or, if that would take too long or saves little, at once.

    Args:
        path: a Parquet file, or a folder made by `save_to_disk` of `datasets`.

    Raises:
        UserError: as `paretoken.data.rows.iter_rows`.
    """
    if path.is_file() and (path.stat().st_size <= SMALL or _largest_group(path) > LARGEST_GROUP):
        return stored_images(read_rows(path))
    return RowImages(path)


def _largest_group(path: Path) -> int:
    from pyarrow.parquet import read_metadata

    with Decoding(path, "not a whole Parquet file", LIMITS.working).step():
        return largest_row_group(read_metadata(path))


class RowImages(Mapping[str, bytes]):
    """The encoded pictures of a data set by name, as `stored_images` returns them, without holding them.

    Threads and forked processes may share it, and it can be pickled: each process opens the files anew.

    Args:
        path: a Parquet file, or a folder made by `save_to_disk` of `datasets`.

    Raises:
        UserError: as `paretoken.data.rows.iter_rows`; when a picture is read, also if the files have
            changed since.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[str, int] = {}
        for number, row in enumerate(iter_rows(path)):
            for name in stored_images([row]):
                self._rows.setdefault(name, number)
        self._opened: _Opened | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __getitem__(self, name: str) -> bytes:
        number = self._rows[name]
        if self._opened is None or self._opened.process != os.getpid():
            self._opened = _Opened(self.path)
        content = stored_images(self._opened.row(number)).get(name)
        if content is None:
            raise UserError(
                f"{self.path} has changed since it was opened: row {number + 1} no longer holds the "
                f"image {shown(name)}; start again"
            )
        return content

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}


class _Opened:
    """The open files of a data set, in one process."""

    def __init__(self, path: Path) -> None:
        self.process, self.lock = os.getpid(), Lock()
        self.files: list[_File] = (
            [_ArrowFile(path / name) for name in arrow_files(path / "state.json")]
            if path.is_dir()
            else [_ParquetFile(path)]
        )
        self.ends = list(accumulate(file.rows for file in self.files))

    def row(self, number: int) -> list[dict[str, Any]]:
        """Return a list with the image of a row; empty if there is no such row any more."""
        place = bisect_right(self.ends, number)
        if place == len(self.files):
            return []
        file = self.files[place]
        with self.lock:
            chunk = file.chunk(number - (self.ends[place] - file.rows))
        return rows_of(chunk, file.path)


class _File(Protocol):
    path: Path
    rows: int

    def chunk(self, number: int) -> Any:
        """Return a record batch with the image of one row."""


class _ArrowFile:
    """An Arrow stream, mapped into memory; its places are found once."""

    def __init__(self, path: Path) -> None:
        from pyarrow import ipc, memory_map

        require_regular(path)
        self.path = path
        self.decoding = Decoding(path, "missing or damaged", LIMITS.working)
        self.places: list[int] = []
        lengths = []
        with self.decoding.step(mapped=path.stat().st_size):
            self.source = memory_map(str(path))
            require_uncompressed(path, self.source)
            self.source.seek(0)
            self.schema = ipc.open_stream(self.source).schema
            self.source.seek(0)
            reader, place = ipc.MessageReader.open_stream(self.source), 0
            for message in reader:
                if message.type == "record batch":
                    self.places.append(place)
                    lengths.append(ipc.read_record_batch(message, self.schema).num_rows)
                place = self.source.tell()
        self.ends = list(accumulate(lengths))
        self.rows = sum(lengths)

    def chunk(self, number: int) -> Any:
        from pyarrow import ipc

        index = bisect_right(self.ends, number)
        with self.decoding.step():
            self.source.seek(self.places[index])
            batch = ipc.read_record_batch(ipc.read_message(self.source), self.schema)
            batch.validate()
            row = batch.select([COLUMN]).slice(number - (self.ends[index] - batch.num_rows), 1)
            row.validate(full=True)
        return row


class _ParquetFile:
    """A Parquet file; the rows that were decoded last are kept, as they may hold the next picture."""

    def __init__(self, path: Path) -> None:
        from pyarrow.parquet import ParquetFile

        require_regular(path)
        self.path = path
        self.decoding = Decoding(path, "not a whole Parquet file", LIMITS.working)
        with self.decoding.step():
            self.file = ParquetFile(path, pre_buffer=False, buffer_size=MIB)
            metadata = self.file.metadata
            groups = range(metadata.num_row_groups)
            self.ends = list(accumulate(metadata.row_group(group).num_rows for group in groups))
            self.rows = metadata.num_rows
            self.step = rows_at_a_time(path, metadata, CHUNK)
            self.decoding.budget = LIMITS.working_for(path, largest_row_group(metadata))
        self.batches: Iterator[Any] = iter(())
        self.group, self.first = -1, 0
        self.batch: Any = ()

    def chunk(self, number: int) -> Any:
        group = bisect_right(self.ends, number)
        inside = number - (self.ends[group - 1] if group else 0)
        if group != self.group or inside < self.first:
            self._start(group)
        while inside >= self.first + len(self.batch):
            self._advance()
        return self.batch.select([COLUMN]).slice(inside - self.first, 1)

    def _start(self, group: int) -> None:
        self.group, self.first, self.batch = group, 0, ()
        self.batches = self.file.iter_batches(
            self.step, row_groups=[group], columns=[COLUMN], use_threads=False
        )

    def _advance(self) -> None:
        """Decode the next rows of the row group; the memory of the last ones is freed before."""
        group, self.group = self.group, -1  # after an error, decoding starts again
        self.first, self.batch = self.first + len(self.batch), ()
        with self.decoding.step():
            batch = next(self.batches, None)
        if batch is None:
            raise UserError(f"{self.path} has fewer rows than it declares; write it again")
        self.group, self.batch = group, batch
