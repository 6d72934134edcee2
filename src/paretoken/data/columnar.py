"""Reading batches of rows from Parquet files and Arrow streams in bounded memory.

The sizes that a file declares are checked first, few rows are decoded at a time if values are long, and
their unpacked size is counted before they become Python objects. Since declared sizes can be wrong,
decoding runs under a memory limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from paretoken.data.arrow_messages import require_uncompressed
from paretoken.data.parquet_footer import declared_bytes, largest_row_group, rows_at_a_time
from paretoken.data.unpacked import LIMITS, Limits, UnpackedRows, held_by_rows, require_countable
from paretoken.errors import UserError
from paretoken.io.bounded import MIB, limited_memory, require_columns, require_regular
from paretoken.io.text_tables import counted

#: Most rows that are decoded, or turned into Python objects, at a time.
BATCH = 1024

#: Address space that pyarrow's allocator (mimalloc) reserves at a time, if so much is available, and
#: some for threads. With a limit slightly above that it would fail although hardly any of it is used.
RESERVED = 1152 * MIB

#: Kinds of values that `datasets` never writes, and that could unpack to far more than their size.
UNUSUAL = ("view", "dictionary")


class Decoding:
    """The decoding of one file within a memory budget.

    Args:
        path: the file.
        what: what is wrong if it cannot be decoded, for messages.
        budget: bytes that decoding may take.
    """

    def __init__(self, path: Path, what: str, budget: int) -> None:
        import pyarrow

        self.path, self.what, self.budget = path, what, budget
        pyarrow.allocate_buffer(1)  # it reserves memory now, not within the limit
        self.pool = pyarrow.default_memory_pool()
        self.before = self.pool.bytes_allocated()

    @contextmanager
    def step(self, mapped: int = 0) -> Iterator[None]:
        """Decode a part within the budget.

        Memory that earlier parts still hold counts, since a file could make each part hold more.

        Args:
            mapped: bytes of files that the part maps into memory, which takes addresses only.

        Raises:
            UserError: it takes too much, or is damaged.
        """
        from pyarrow import ArrowException

        peak, held = self.pool.max_memory(), self.pool.bytes_allocated() - self.before
        try:
            left = self.budget - max(0, held)
            with limited_memory(mapped + (left if left < RESERVED - 256 * MIB else left + RESERVED)):
                yield
        except MemoryError as error:
            raise self._too_much() from error
        except (OSError, ArrowException) as error:
            raise UserError(f"{self.path} is {self.what}: {error}") from error
        # The limit does not see memory that is reserved, or was freed by earlier parts.
        if self.pool.max_memory() > max(peak, self.before + self.budget):
            raise self._too_much()

    def _too_much(self) -> UserError:
        return UserError(
            f"{self.path} takes more than {self.budget:,} bytes of memory to be decoded, or more than "
            "this process may use; it unpacks to more than it declares, or needs shorter values and "
            "smaller row groups"
        )


def parquet_batches(
    path: Path,
    needed: Sequence[str] = (),
    only_these: bool = False,
    limits: Limits = LIMITS,
    most_rows: int = BATCH,
) -> Iterator[Any]:
    """Yield the rows of a Parquet file as Arrow record batches.

    Args:
        path: the file.
        needed: required columns.
        only_these: whether other columns are left out.
        limits: limits of what it may unpack to.
        most_rows: most rows of a batch.

    Raises:
        UserError: it is not a whole Parquet file, lacks a column, has values of an unusual type, or
            unpacks to too much.
    """
    from pyarrow.parquet import ParquetFile

    require_regular(path)
    decoding = Decoding(path, "not a whole Parquet file", limits.working)
    counted = UnpackedRows(path, limits)
    with ExitStack() as opened:
        with decoding.step():
            # Read in small parts: by default the columns of all row groups are kept in memory.
            file = opened.enter_context(ParquetFile(path, pre_buffer=False, buffer_size=MIB))
            metadata, schema = file.metadata, file.schema_arrow
            _require_schema(path, schema, needed)
            counted.require(declared_bytes(metadata))
            rows = min(most_rows, rows_at_a_time(path, metadata, limits))
            decoding.budget = limits.working_for(path, largest_row_group(metadata))
            columns = list(needed) if only_these else None
            batches = file.iter_batches(rows, columns=columns, use_threads=False)
        while True:
            with decoding.step():
                batch = next(batches, None)
            if batch is None:
                return
            counted.add(batch)
            yield batch


def stream_batches(path: Path, limits: Limits = LIMITS) -> Iterator[Any]:
    """Yield the rows of an Arrow stream, as `save_to_disk` of `datasets` writes it, as record batches.

    Args:
        path: the file.
        limits: limits of what it may unpack to.

    Raises:
        UserError: it is missing or damaged, compressed, has values of an unusual type, or unpacks to too
            much.
    """
    from pyarrow import ipc, memory_map

    require_regular(path)
    decoding = Decoding(path, "missing or damaged", limits.working)
    counted = UnpackedRows(path, limits)
    with ExitStack() as opened:
        with decoding.step(mapped=path.stat().st_size):
            source = opened.enter_context(memory_map(str(path)))
            require_uncompressed(path, source)
            source.seek(0)
            stream = opened.enter_context(ipc.open_stream(source))
            _require_schema(path, stream.schema, refused=UNUSUAL)
        while True:
            with decoding.step():
                batch = next(stream, None)
                if batch is None:
                    return
                # First validate what counting needs, then all offsets and texts.
                batch.validate()
                counted.add(batch)
                batch.validate(full=True)
            for start in range(0, len(batch), BATCH):
                yield batch.slice(start, BATCH)


def rows_of(batch: Any, path: Path, limits: Limits = LIMITS) -> list[dict[str, Any]]:
    """Return the rows of a record batch as Python objects.

    Args:
        batch: from `parquet_batches` or `stream_batches`.
        path: the file that it comes from, for messages.
        limits: limits of the memory that the batch may take.

    Raises:
        UserError: it takes too much memory, or has values that Python cannot represent; the message
            names their column.
    """
    too_much = UserError(
        f"{path}: {counted(len(batch), 'row takes', 'rows take', ',')} more than {limits.working:,} "
        "bytes, or more than this process may use; write it again with shorter values"
    )
    if held_by_rows(batch) > limits.working:
        raise too_much
    try:
        with limited_memory(2 * limits.working):  # the estimate of their size may be low
            return list(batch.to_pylist())
    except MemoryError as error:
        raise too_much from error
    except UNHELD as error:
        name, reason = _bad_column(batch, error)
        raise UserError(
            f"{path}, column {name!r}: it has values that cannot be read: {reason}; write them as text"
        ) from error


#: Errors of pyarrow for values that Python cannot represent: times out of range, unknown time zones,
#: texts that are not UTF-8, records with duplicate names. Its own exceptions are subclasses of these.
UNHELD = (ArithmeticError, ImportError, LookupError, RuntimeError, TypeError, ValueError)


def _bad_column(batch: Any, error: Exception) -> tuple[str, Exception]:
    """Return the name of the first unreadable column and the reason; all names if each is readable."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.to_pylist()
        except UNHELD as reason:
            return str(name), reason
    return ", ".join(batch.schema.names), error


def require_parquet(path: Path, needed: Sequence[str]) -> None:
    """Require that a Parquet file has some columns, by its footer alone.

    Raises:
        UserError: it is not a Parquet file, or lacks a column.
    """
    _require_schema(path, parquet_schema(path), needed)


def parquet_schema(path: Path, limits: Limits = LIMITS) -> Any:
    """Return the Arrow schema of a Parquet file, with its metadata.

    Raises:
        UserError: it is not a whole Parquet file.
    """
    from pyarrow.parquet import read_schema

    require_regular(path)
    with Decoding(path, "not a whole Parquet file", limits.working).step():
        return read_schema(path)


def _require_schema(
    path: Path, schema: Any, needed: Sequence[str] = (), refused: Sequence[str] = ()
) -> None:
    """Require that a table has the needed columns, no duplicate ones, and supported types only."""
    names = schema.names
    require_columns(path, len(names))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path} has the column {twice!r} more than once; rename one of them")
    missing = [name for name in needed if name not in names]
    if missing:
        have = ", ".join(names)
        raise UserError(f"{path} has no column {', '.join(missing)}; its columns are: {have}")
    require_countable(path, schema, refused)
