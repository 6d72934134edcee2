"""Parquet files and Arrow streams that lie, unpack to too much, or hold what Python cannot."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import struct
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from paretoken.data.columnar import BATCH, parquet_batches, rows_of, stream_batches
from paretoken.data.parquet_footer import read_dictionary_header, rows_at_a_time
from paretoken.data.rows import read_rows
from paretoken.data.unpacked import LIMITS, held_by_rows, held_bytes
from paretoken.errors import UserError
from paretoken.evaluate.left_out import METADATA, read_left_out, with_left_out
from paretoken.io.bounded import MIB, limited_memory

#: Bytes by which a child may grow that reads hostile files, beyond what pyarrow reserves.
GROWTH = 900 * MIB


def in_child(code: str) -> list[str]:
    """Run code in a process with little memory; return the lines that it prints."""
    script = f"""
        import resource
        from pathlib import Path
        import pyarrow, pyarrow.parquet, pyarrow.ipc
        from paretoken.data.rows import read_rows
        from paretoken.errors import UserError
        pyarrow.allocate_buffer(1)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + {GROWTH}, used + {GROWTH}))
        def told(path):
            try:
                read_rows(Path(path))
            except UserError as error:
                print(str(error).replace(chr(10), " "))
            else:
                print("read")
{textwrap.indent(textwrap.dedent(code), " " * 8)}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def stream(folder: Path, *batches: pa.RecordBatch, compression: str | None = None) -> Path:
    """Write a data set as `save_to_disk` does; return its folder."""
    folder.mkdir(exist_ok=True)
    options = ipc.IpcWriteOptions(compression=compression)
    with ipc.new_stream(folder / "d.arrow", batches[0].schema, options=options) as sink:
        for batch in batches:
            sink.write_batch(batch)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "d.arrow"}]}))
    return folder


ROWS = [
    {"id": str(n), "n": n, "x": [0.5] * (n % 3), "y": {"a": [True], "b": b"\xff"}, "z": None}
    for n in range(BATCH + 500)
]


def test_streams_are_read_whole_in_small_batches(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_pylist(ROWS)
    folder = stream(tmp_path / "d", batch, batch.slice(0, 3))
    assert read_rows(folder) == ROWS + ROWS[:3]
    assert [len(each) for each in stream_batches(folder / "d.arrow")] == [BATCH, 500, 3]


def test_streams_with_any_bytes_wrong_are_read_or_refused(tmp_path: Path) -> None:
    good = stream(tmp_path / "d", pa.RecordBatch.from_pylist(ROWS[:20])) / "d.arrow"
    content, chance = good.read_bytes(), random.Random(0)
    for number in range(150):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(0, len(content) - 4)
            value = chance.choice([0, 1, -1, 900_000, 1_900_000_000, -(2**31), chance.randrange(1000)])
            damaged[place : place + 4] = struct.pack("<i", value)
        folder = tmp_path / f"s{number}"
        folder.mkdir()
        (folder / "d.arrow").write_bytes(damaged)
        (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "d.arrow"}]}))
    told = in_child(f"for n in range(150): told(f'{tmp_path}/s{{n}}')")
    assert len(told) == 150
    assert any("is missing or damaged: " in line for line in told)


def many_views(kind: str) -> pa.Array:
    """Return 1,000 values of 1 MB each that are one in memory."""
    rows, size, text = 1000, 1_000_000, pa.py_buffer(b"a" * 1_000_000)
    if kind == "dictionary":
        return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int16), pa.array(["a" * size]))
    if kind == "list_view":
        places = [pa.array([number] * rows, pa.int32()) for number in (0, size)]
        return pa.ListViewArray.from_arrays(*places, pa.array(np.zeros(size, np.int8)))
    views = np.tile(np.array([size, 0x61616161, 0, 0], np.int32), (rows, 1))
    made: pa.Array = pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(views), text])
    return made


@pytest.mark.parametrize("kind", ["dictionary", "list_view", "string_view"])
def test_streams_cannot_use_one_value_many_times(tmp_path: Path, kind: str) -> None:
    folder = stream(tmp_path / "d", pa.record_batch({"x": many_views(kind)}))
    (told,) = in_child(f"told({str(folder)!r})")
    assert re.search(r"d\.arrow.* (are not supported; write plain|stores values in dictionaries)", told)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_streams_are_refused_before_they_are_decompressed(
    tmp_path: Path, compression: Any
) -> None:
    batch = pa.record_batch({"x": pa.array([b"\0" * 100_000] * 10)})
    folder = stream(tmp_path / "d", batch, compression=compression)
    with pytest.raises(UserError, match=r"d\.arrow is compressed; write it with datasets' save_to_disk"):
        read_rows(folder)


@pytest.mark.parametrize("kind", ["dictionary", "string_view"])
def test_values_that_are_stored_once_are_counted_as_often_as_they_appear(kind: str) -> None:
    assert held_bytes(many_views(kind)) >= 1_000_000_000


def test_elements_of_lists_are_counted(tmp_path: Path) -> None:
    count = 40_000_000
    flags = pa.BooleanArray.from_buffers(pa.bool_(), count, [None, pa.py_buffer(bytes(count // 8))])
    table = pa.table({"x": pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), flags)})
    parquet.write_table(table, tmp_path / "x.parquet", compression="zstd", write_statistics=False)
    with pytest.raises(UserError, match="would unpack to more than 268,435,456 bytes"):
        read_rows(tmp_path / "x.parquet")
    batch = table.to_batches()[0]
    assert held_by_rows(batch) >= 8 * count
    with pytest.raises(UserError, match="1 row takes more than 300,000,000 bytes"):
        rows_of(batch, tmp_path, replace(LIMITS, working=300_000_000))


def varint(value: int, width: int) -> bytes:
    """Return a positive number as Thrift writes it, in ``width`` bytes."""
    value <<= 1
    groups = [value >> 7 * number & 127 for number in range(width)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


@pytest.mark.slow
def test_a_false_footer_cannot_fill_the_memory(tmp_path: Path) -> None:
    zeros, path = np.zeros(300 * MIB, np.uint8), tmp_path / "x.parquet"
    offsets = pa.py_buffer(np.array([0, len(zeros)], np.int32))
    column = pa.Array.from_buffers(pa.binary(), 1, [None, offsets, pa.py_buffer(zeros)])
    parquet.write_table(
        pa.table({"x": column}),
        path,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        data_page_size=2**31 - 1,
    )
    group, content = parquet.ParquetFile(path).metadata.row_group(0), path.read_bytes()
    length = 8 + struct.unpack("<L", content[-8:-4])[0]
    footer = content[-length:]
    for size in {group.total_byte_size, group.column(0).total_uncompressed_size}:
        footer = footer.replace(varint(size, 5), varint(100, 5))
    path.write_bytes(content[:-length] + footer)
    assert parquet.ParquetFile(path).metadata.row_group(0).total_byte_size == 100
    (told,) = in_child(f"told({str(path)!r})")
    assert "bytes of memory to be decoded" in told


@pytest.mark.parametrize("fails", [False, True])
def test_a_limit_of_memory_ends_with_its_block_and_may_be_nested(fails: bool) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        with limited_memory(512 * MIB):
            outer = resource.getrlimit(resource.RLIMIT_AS)
            with limited_memory(4096 * MIB):
                assert resource.getrlimit(resource.RLIMIT_AS) == outer != before
            assert resource.getrlimit(resource.RLIMIT_AS) == outer
            if fails:
                bytearray(1024 * MIB)
    except MemoryError:
        assert fails
    else:
        assert not fails
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_whoever_reads_batches_does_not_run_under_the_limit(tmp_path: Path) -> None:
    before, table = resource.getrlimit(resource.RLIMIT_AS), pa.Table.from_pylist(ROWS)
    parquet.write_table(table, tmp_path / "x.parquet")
    folder = stream(tmp_path / "d", *table.to_batches())
    for batches in (parquet_batches(tmp_path / "x.parquet"), stream_batches(folder / "d.arrow")):
        for _ in batches:
            assert resource.getrlimit(resource.RLIMIT_AS) == before


UNHELD = {
    "time": pa.array([2**62], pa.timestamp("us")),
    "date": pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
    "duration": pa.array([2**62], pa.duration("s")),
    "zone": pa.array([1], pa.timestamp("us", tz="Foo/Bar")),
    "text": pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")),
}


@pytest.mark.parametrize("kind", UNHELD)
@pytest.mark.parametrize("nested", [False, True])
def test_values_that_python_cannot_hold_are_user_errors_with_their_column(
    tmp_path: Path, kind: str, nested: bool
) -> None:
    values = pa.ListArray.from_arrays([0, 1], UNHELD[kind]) if nested else UNHELD[kind]
    table = pa.table({"good": ["a"], "bad": values})
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(
        UserError, match=r"x\.parquet, column 'bad': it has values that cannot be read: "
    ):
        read_rows(tmp_path / "x.parquet")
    with pytest.raises(UserError, match=r"d\.arrow"):
        read_rows(stream(tmp_path / "d", *table.to_batches()))


def test_columns_have_different_names(tmp_path: Path) -> None:
    parquet.write_table(pa.table([["a"], ["b"]], names=["x", "x"]), tmp_path / "x.parquet")
    with pytest.raises(UserError, match="has the column 'x' more than once"):
        read_rows(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    "content", [b'{"1":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"[]", b'{"a": "b"}', b"\xff", b"{"]
)
def test_damaged_reasons_for_missing_answers_are_user_errors(tmp_path: Path, content: bytes) -> None:
    table = pa.table({"x": [1]}).replace_schema_metadata({METADATA: content})
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(UserError, match="questions without answers is damaged"):
        read_left_out(tmp_path / "x.parquet")


def test_reasons_for_missing_answers_have_a_size_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet.write_table(with_left_out(pa.table({"x": [1]}), {2: "too long"}), tmp_path / "x.parquet")
    assert read_left_out(tmp_path / "x.parquet") == {2: "too long"}
    monkeypatch.setattr("paretoken.evaluate.left_out.LARGEST", 10)
    with pytest.raises(UserError, match="has 17 bytes; at most 10 are allowed"):
        read_left_out(tmp_path / "x.parquet")


def real_bytes(value: Any) -> int:
    """Return the bytes of a Python object and what it holds."""
    if value is None or isinstance(value, bool):
        return 0
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sys.getsizeof(value) + sum(map(real_bytes, inside))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "text": st.text("ab", max_size=99) | st.none(),
                "number": st.floats(allow_nan=False),
                "list": st.lists(st.lists(st.integers(300, 2**40), max_size=9), max_size=9),
                "record": st.fixed_dictionaries({"b": st.booleans(), "d": st.binary(max_size=9)}),
            }
        ),
        min_size=1,
        max_size=9,
    ),
    st.integers(0, 3),
)
def test_the_estimate_of_python_objects_is_about_right(rows: list[Any], start: int) -> None:
    kind = pa.schema(
        {
            "text": pa.string(),
            "number": pa.float64(),
            "list": pa.list_(pa.large_list(pa.int64())),
            "record": pa.struct({"b": pa.bool_(), "d": pa.binary()}),
        }
    )
    batch = pa.RecordBatch.from_pylist(rows, kind).slice(start)
    real = sum(map(real_bytes, batch.to_pylist()))
    assert 0.6 * real <= held_by_rows(batch) <= 1.7 * real


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_many_rows_are_decoded_together_where_values_are_stored_once(
    tmp_path: Path, compression: str
) -> None:
    path, chance = tmp_path / "x.parquet", random.Random(0)
    table = pa.table({"x": [chance.randbytes(10_000) for _ in range(1500)], "y": ["yes", "no"] * 750})
    parquet.write_table(table, path, compression=compression, use_content_defined_chunking=False)
    metadata = parquet.ParquetFile(path).metadata
    assert "RLE_DICTIONARY" in metadata.row_group(0).column(0).encodings
    assert BATCH <= rows_at_a_time(path, metadata, LIMITS) <= 10_000
    assert [len(batch) for batch in parquet_batches(path)] == [BATCH, 1500 - BATCH]


@given(st.binary(max_size=70))
def test_any_bytes_can_replace_a_page_header(content: bytes) -> None:
    read_dictionary_header(content)
