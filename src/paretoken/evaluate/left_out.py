"""Which questions `paretoken predict` left out, as the file of its answers says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretoken.errors import UserError

#: Where the metadata of the Parquet file hold them: rows of the questions from 1, and reasons.
METADATA = b"paretoken.left_out"


def with_left_out(table: Any, left_out: Mapping[int, str]) -> Any:
    """Return a pyarrow table that says which rows of the questions have no answer, and why."""
    if not left_out:
        return table
    content = json.dumps({str(number): reason for number, reason in left_out.items()})
    return table.replace_schema_metadata({METADATA: content.encode()})


def read_left_out(path: Path) -> dict[int, str]:
    """Return the rows of the questions, from 1, that a file of answers leaves out, and why.

    Files in other formats than Parquet, and those of other programs, leave nothing out.

    Raises:
        UserError: the file is damaged.
    """
    if path.suffix != ".parquet":
        return {}
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    try:
        content = (read_schema(path).metadata or {}).get(METADATA, b"{}")
        return {int(number): str(reason) for number, reason in json.loads(content).items()}
    except (OSError, ArrowException, ValueError, AttributeError) as error:
        raise UserError(f"{path} is not a whole Parquet file: {error}") from error
