"""Reading rows of a data set from JSON, JSON lines, Parquet or a Hugging Face data set on disk.

It uses pyarrow rather than `datasets`, whose import takes most of a second in every process.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from paretoken.errors import UserError
from paretoken.io.bounded import LARGEST_LINE, MOST_COLUMNS, require_regular
from paretoken.io.escape import shown
from paretoken.io.files import read_object
from paretoken.io.json_values import MOST_ROW_VALUES, require_few_row_values, values_at_most

FORMATS = ".json (a list), .jsonl, .parquet or a folder made by datasets' save_to_disk"
#: Most levels of nested lists and objects in a row.
DEEPEST = 50
NOT_SPACE = re.compile(r"[^ \t\r\n]")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object with its keys.

    Raises:
        ValueError: a key is a duplicate (Python would keep the last value), or there are too many.
    """
    if len(pairs) > MOST_COLUMNS:
        raise ValueError(f"an object has {len(pairs):,} keys; at most {MOST_COLUMNS:,} are read")
    made = dict(pairs)
    if len(made) < len(pairs):
        key, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {shown(key)} appears twice in an object; write it once")
    return made


def _shallow(row: Any) -> Any:
    """Return a row (`ValueError` if its lists and objects are nested deeper than `DEEPEST`).

    Deeper rows could be read, but not written: Python's functions recurse for each level.
    """
    level = [row]
    for _ in range(DEEPEST):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return row
    raise ValueError(f"its lists and objects are nested more than {DEEPEST} deep")


def _parts(value: Any) -> list[Any]:
    """Return the lists and objects directly in a value."""
    inside = value.values() if type(value) is dict else value if type(value) is list else ()
    return [each for each in inside if type(each) is dict or type(each) is list]


DECODER = json.JSONDecoder(object_pairs_hook=_object)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return all rows of a data set, in order.

    Raises:
        UserError: the path is missing, in no known format, damaged, or without any row.
    """
    return list(iter_rows(path))


def iter_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a data set, in order, without holding all of them in memory.

    Raises:
        UserError: the path is missing, in no known format, damaged, or without any row.
    """
    require_readable(path)
    reader = _read_folder if path.is_dir() else READERS[format_of(path)]
    empty = True
    for row in reader(path):
        empty = False
        yield row
    if empty:
        raise UserError(f"{path} holds no rows")


def require_readable(path: Path) -> None:
    """Raise `UserError` if the path is missing, in no known format, or neither a file nor a folder."""
    if not path.exists():
        raise UserError(f"{path} does not exist; expected {FORMATS}")
    if path.is_dir():
        return
    if format_of(path) not in READERS:
        raise UserError(f"{path} has an unknown format; expected {FORMATS}")
    require_regular(path)


def format_of(path: Path) -> str:
    """Return the suffix that tells a file's format: its own, or its target's for a link without one."""
    return path.suffix or path.resolve().suffix


def data_files(path: Path) -> list[Path]:
    """Return the files that a data set consists of, in a fixed order."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _read_list(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON list one by one: as Python objects, a gigabyte would take four."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            text, number = JsonText(stream), 1
            if not text.take("["):
                raise UserError(f"{path} must hold a list of objects: [{{...}}, ...]")
            while not (number == 1 and text.take("]")):
                if text.peek() != "{":
                    raise UserError(
                        f"{path} must hold a list of objects: [{{...}}, ...]; "
                        f"entry {number} is not an object"
                    )
                try:
                    row = _shallow(text.value())
                except (ValueError, RecursionError) as error:  # see `_line`
                    raise UserError(f"{path} is not valid JSON in row {number}: {error}") from error
                yield row
                number += 1
                if text.take("]"):
                    break
                if not text.take(","):
                    raise UserError(f"{path} is not valid JSON after row {number - 1}: truncated?")
            if text.peek():
                raise UserError(f"{path} is not valid JSON: there is more text after the list")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


class JsonText:
    """A JSON file that is read in chunks: it holds unused text, and reads more if needed."""

    def __init__(self, stream: IO[str], chunk: int = 1 << 22) -> None:
        self.stream, self.chunk, self.text, self.place = stream, chunk, "", 0
        self.dense = False  # whether some row may have too many values

    def peek(self) -> str:
        """Return the next character that is not white space; empty at the end."""
        while True:
            found = NOT_SPACE.search(self.text, self.place)
            if found is not None:
                self.place = found.start()
                return found.group()
            self.place = len(self.text)
            if not self._more():
                return ""

    def take(self, character: str) -> bool:
        """Return whether ``character`` comes next; if so, skip it."""
        there = self.peek() == character
        self.place += there
        return there

    def value(self) -> Any:
        """Return the value that comes next.

        Raises:
            json.JSONDecodeError: it is malformed.
            ValueError: it is too long, or has too many values.
        """
        self.peek()
        while True:
            if self.dense:
                require_few_row_values(self.text, self.place)
            try:
                value, self.place = DECODER.raw_decode(self.text, self.place)
            except json.JSONDecodeError as error:
                # An error well before the end of the text is not due to its truncation.
                inside = error.pos < len(self.text) - 16 and not error.msg.startswith("Unterminated")
                if inside or not self._more():
                    raise
            else:
                return value

    def _more(self) -> bool:
        rest = self.text[self.place :]
        if len(rest) > LARGEST_LINE:
            raise ValueError(f"it is longer than {LARGEST_LINE:,} characters")
        added = self.stream.read(max(self.chunk, len(rest)))
        self.text, self.place = rest + added, 0
        self.dense = values_at_most(self.text) > MOST_ROW_VALUES
        return bool(added)


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(LARGEST_LINE), ""), start=1):
                if len(line) == LARGEST_LINE:
                    raise UserError(f"{path} line {number} has {LARGEST_LINE:,} characters or more")
                if line.strip():
                    yield _line(path, number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        if values_at_most(line) > MOST_ROW_VALUES:
            require_few_row_values(line)
        row = _shallow(DECODER.decode(line))
    # A number with thousands of digits, or brackets nested as deep, raise no `JSONDecodeError`.
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} line {number} is not valid JSON: {error}") from error
    if not isinstance(row, dict):
        raise UserError(f"{path} line {number} must be an object: {{...}}")
    return row


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    from paretoken.data.columnar import parquet_batches, rows_of  # it imports numpy

    for batch in parquet_batches(path):
        yield from rows_of(batch, path)


def _read_folder(path: Path) -> Iterator[dict[str, Any]]:
    from paretoken.data.columnar import rows_of, stream_batches

    if not (path / "state.json").exists():
        raise UserError(f"{path} is not a data set on disk (no state.json); expected {FORMATS}")
    for name in arrow_files(path / "state.json"):
        for batch in stream_batches(path / name):
            yield from rows_of(batch, path / name)


def arrow_files(state: Path) -> list[str]:
    """Return the names of a data set's files, all of them in its folder.

    Args:
        state: the file ``state.json`` of a data set on disk.

    Raises:
        UserError: it does not list them.
    """
    entries = read_object(state).get("_data_files")
    entries = entries if isinstance(entries, list) else []
    names = [each.get("filename") for each in entries if isinstance(each, dict)]
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise UserError(f"{state} must list the data set's files, each as a name in its folder")
    return [str(name) for name in names]


READERS = {
    ".json": _read_list,
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
    ".parquet": _read_parquet,
}
