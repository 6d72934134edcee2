"""Tables are looked at before their rows are read: bytes, columns, cells, compression."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest

from paretoken.errors import UserError
from paretoken.io.bounded import LARGEST_HEADER
from paretoken.io.csv_files import csv_rows, read_csv_text
from paretoken.io.csv_tables import table_rows
from paretoken.plan.expected_shapes import _tabulated
from paretoken.study.measured import REQUIRED
from paretoken.study.measured import read_rows as read_measured
from paretoken.study.table_files import read_table, read_text_table

READERS = {
    "text table": read_text_table,
    "typed table": lambda path: read_table(path, ()),
    "measured": read_measured,
    "table": lambda path: table_rows(path, ()),
    "dimensions": _tabulated,
}


def header(columns: int) -> str:
    return ",".join(["llm", *REQUIRED[1:], *(f"c{number}" for number in range(columns - len(REQUIRED)))])


HOSTILE = {
    "short rows": (header(996) + "\n" + "1\n" * 100_000, "at most 1,000,000 cells"),
    "carriage returns": (header(996) + "\r" + "1\r" * 100_000, "at most 1,000,000 cells"),
    "columns": (header(1001) + "\n1\n", "has 1,001 columns; at most 1,000 are read"),
    "a break in the header": ('"a\n"' + "," * 300_000 + "\n1\n", "columns; at most 1,000 are read"),
    "long names": (",".join(["a" * 2000] * 900) + "," * 9000 + "\n1\n", "the first row has more than"),
    "an open quote": ('"' + "a\n" * LARGEST_HEADER, "cannot be read as CSV"),
    "gzip": (gzip.compress(header(9).encode()), "is compressed .gzip"),
    "bzip2": (bz2.compress(header(9).encode()), "is compressed .bzip2"),
    "xz": (lzma.compress(header(9).encode()), "is compressed .xz"),
    "a spreadsheet": (b"PK\x03\x04xxxx", "is compressed .zip, or a spreadsheet"),
    "not UTF-8": (header(9).encode() + b"\ncaf\xe9\n", "cannot be read as CSV.*utf-8"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_every_reader_refuses_a_hostile_table_before_its_rows(tmp_path, reader, name, suffix):
    content, words = HOSTILE[name]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=words) as refused:
        READERS[reader](path)
    assert str(path) in str(refused.value)


def test_a_suffix_does_not_decide_how_a_table_is_read(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_text("a,b\n1,2\n")
    assert read_text_table(path).rows.to_numpy().tolist() == [["1", "2"]]


def test_rows_with_all_their_fields_are_never_too_many_cells(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(header(1000) + "\n" + ("," * 999 + "\n") * 1500)
    assert read_csv_text(path).text.startswith("llm")


def test_rows_are_as_other_tables_write_them(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b'\xef\xbb\xbf a , b,c\r\n 1, "x\r\ny",\'=1\r\n\r\n2\r\n')
    names, rows = csv_rows(path)
    assert names == ["a", "b", "c"]
    assert list(rows) == [{"a": "1", "b": "x\r\ny", "c": "=1"}, {"a": "2", "b": "", "c": ""}]


def test_more_fields_than_names_are_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(UserError, match="row 3: 3 fields, more than the 2 names"):
        list(csv_rows(path)[1])


def test_an_empty_table_has_no_names(tmp_path):
    (tmp_path / "x.csv").write_text("")
    names, rows = csv_rows(tmp_path / "x.csv")
    assert (names, list(rows)) == ([], [])
