"""Detecting compressed messages in an Arrow stream before they are decompressed.

pyarrow decompresses while it reads, and reports the compression only afterwards.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from paretoken.errors import UserError

#: Numbers of fields in the tables of Arrow's format (Message.fbs), from 0.
HEADER, COMPRESSION = 2, 3


def require_uncompressed(path: Path, source: Any) -> None:
    """Require that a stream has uncompressed record batches only.

    Args:
        path: the file, for messages.
        source: the stream, at its start. It is read to its end; if it is mapped into memory, without the
            rows themselves.

    Raises:
        UserError: it has compressed batches, or dictionaries (values stored once for many rows).
        pyarrow.ArrowException, OSError: it is damaged.
    """
    from pyarrow import ipc

    for message in ipc.MessageReader.open_stream(source):
        if message.type == "dictionary":
            raise UserError(f"{path} stores values in dictionaries; {ASKED}")
        if message.type == "record batch" and is_compressed(message.metadata.to_pybytes()):
            raise UserError(f"{path} is compressed; {ASKED}")


ASKED = "write it with datasets' save_to_disk, which stores rows as they are, or as Parquet"


def is_compressed(metadata: bytes) -> bool:
    """Whether the rows of a record batch are compressed, according to its message.

    Args:
        metadata: the message's flatbuffer, which pyarrow has verified.
    """
    message = _unsigned(metadata, 0)
    place = _field(metadata, message, HEADER)
    if place is None:
        return False
    return _field(metadata, place + _unsigned(metadata, place), COMPRESSION) is not None


def _field(buffer: bytes, table: int, number: int) -> int | None:
    """Return the offset of a table's field in a flatbuffer; None if the table lacks it."""
    offsets = table - struct.unpack_from("<i", buffer, table)[0]
    (size,) = struct.unpack_from("<H", buffer, offsets)
    place = 4 + 2 * number
    if place >= size:
        return None
    (offset,) = struct.unpack_from("<H", buffer, offsets + place)
    return table + offset if offset else None


def _unsigned(buffer: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", buffer, place)[0])
