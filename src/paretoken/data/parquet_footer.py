"""Estimating the memory that the rows of a Parquet file take, from its footer.

A footer can be wrong. Its sizes decide how many rows are decoded at a time, and reject some files early;
other files are rejected while they are decoded, see `paretoken.data.columnar`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretoken.data.unpacked import PLACE, Limits, record_bytes

#: Encodings in which no value is longer than its encoded form, and those that store each distinct value
#: once, in a page of its own. With others (shared prefixes) any value can be as long as a column.
ONE_BY_ONE = frozenset(
    ("PLAIN", "RLE", "BIT_PACKED", "BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY")
)
DICTIONARY = frozenset(("PLAIN_DICTIONARY", "RLE_DICTIONARY"))

#: Rows of a batch may be this many times as long as the average row of their row group.
SKEW = 8

#: Bytes of a page's header that are read; its first fields are numbers of at most 6 bytes each.
HEADER = 64


@dataclass(frozen=True)
class DictionaryPage:
    """The page with each distinct value of a column: its uncompressed bytes, and its values."""

    size: int
    values: int


def declared_bytes(metadata: Any) -> int:
    """Return a lower bound of the bytes that all rows take as Python objects, by the footer."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    stored = sum(max(0, group.total_byte_size) for group in groups)
    # Beyond one value per row, a column holds elements of lists.
    elements = sum(
        max(0, group.column(index).num_values - group.num_rows)
        for group in groups
        for index in range(group.num_columns)
    )
    # These columns are those of the innermost values, which need not be keys of rows.
    rows = max(0, metadata.num_rows) * record_bytes(1)
    return int(max(rows + elements * PLACE, stored))


def largest_row_group(metadata: Any) -> int:
    """Return the uncompressed bytes of the largest row group, by the footer."""
    groups = range(metadata.num_row_groups)
    return max((int(metadata.row_group(number).total_byte_size) for number in groups), default=0)


def rows_at_a_time(path: Path, metadata: Any, limits: Limits) -> int:
    """Return how many rows of a Parquet file can be decoded together within ``limits.batch`` bytes.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        longest = max(
            (
                sum(
                    _row_bytes(stream.fileno(), group.column(index), group.num_rows)
                    for index in range(group.num_columns)
                )
                for group in _groups_with_rows(metadata)
            ),
            default=1.0,
        )
    return max(1, int(limits.batch // max(1.0, longest)))


def _groups_with_rows(metadata: Any) -> Iterator[Any]:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.num_rows > 0:
            yield group


def _row_bytes(descriptor: int, chunk: Any, rows: int) -> float:
    """Return the bytes that a column takes in a long row of a row group."""
    total = float(max(0, chunk.total_uncompressed_size))
    encodings = set(chunk.encodings)
    if not encodings <= ONE_BY_ONE | DICTIONARY:
        return total
    average = total / rows
    if encodings & DICTIONARY:
        page = _dictionary_page(descriptor, chunk)
        if page is None or page.values <= 0:
            return total
        average = max(average, page.size / page.values * max(rows, chunk.num_values) / rows)
    return SKEW * average


def _dictionary_page(descriptor: int, chunk: Any) -> DictionaryPage | None:
    """Return the header of a column's first page; None unless it is a dictionary page."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
        start = chunk.dictionary_page_offset
    if start < 0:
        return None
    return read_dictionary_header(os.pread(descriptor, HEADER, start))


def read_dictionary_header(content: bytes) -> DictionaryPage | None:
    """Return the header of a dictionary page, in Thrift's compact protocol; None for other pages.

    Args:
        content: the first bytes of a page.
    """
    fields: dict[tuple[bool, int], int] = {}
    inside, number, place = False, 0, 0
    try:
        while (True, 1) not in fields:
            head = content[place]
            number, place = number + (head >> 4), place + 1
            if head & 15 == 5:  # an integer of 32 bits
                fields[inside, number], place = _integer(content, place)
            elif (inside, number, head & 15) == (False, 7, 12):  # the record for dictionary pages
                inside, number = True, 0
            else:
                return None
        page = DictionaryPage(fields[False, 2], fields[True, 1])
    except (IndexError, KeyError):
        return None
    return page if fields.get((False, 1)) == 2 else None


def _integer(content: bytes, place: int) -> tuple[int, int]:
    """Return a zigzag-encoded variable-length integer, and the index of the next byte."""
    value = shift = 0
    while True:
        byte = content[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return (value >> 1) ^ -(value & 1), place
