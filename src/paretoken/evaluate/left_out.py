"""The questions that `paretoken predict` left out, stored in the file of its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretoken.data.columnar import parquet_schema
from paretoken.errors import UserError
from paretoken.io.bounded import MIB, limited_memory

#: Key of the metadata of the Parquet file: rows of the questions, from 1, with reasons.
METADATA = b"paretoken.left_out"

#: Most bytes of the metadata, and of memory to parse them; a million questions can have reasons.
LARGEST, MEMORY = 64 * MIB, 1024 * MIB


def with_left_out(table: Any, left_out: Mapping[int, str]) -> Any:
    """Return a pyarrow table with metadata on the questions that were left out, and why."""
    if not left_out:
        return table
    content = json.dumps({str(number): reason for number, reason in left_out.items()})
    return table.replace_schema_metadata({METADATA: content.encode()})


def read_left_out(path: Path) -> dict[int, str]:
    """Return the rows of the questions, from 1, that a file of answers left out, with reasons.

    Files in formats other than Parquet, and those of other programs, have no such metadata.

    Raises:
        UserError: the file is damaged.
    """
    if path.suffix != ".parquet":
        return {}
    content = (parquet_schema(path).metadata or {}).get(METADATA, b"{}")
    if len(content) > LARGEST:
        raise UserError(
            f"{path}: its metadata on questions without answers has {len(content):,} bytes; at most "
            f"{LARGEST:,} are allowed: leave fewer questions out"
        )
    try:
        with limited_memory(MEMORY):
            entries = json.loads(content)
        return {int(number): str(reason) for number, reason in entries.items()}
    except (ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise UserError(
            f"{path}: its metadata on questions without answers is damaged ({type(error).__name__}: "
            f"{error}); write the answers again with `paretoken predict`"
        ) from error
