"""Files from elsewhere are read within limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from paretoken.data.rows import read_rows
from paretoken.errors import UserError
from paretoken.evaluate.score import read_predictions
from paretoken.io.bounded import MIB, read_bounded, require_regular
from paretoken.io.files import read_json, sha256
from paretoken.io.yaml_files import read_yaml
from paretoken.study.measured import read_rows as read_measured
from paretoken.study.table_files import read_text_table

#: Bytes of address space for a child that reads a hostile file, and seconds: it needs a few of each.
MEMORY, SECONDS = 2048 * MIB, 120


def in_child(code: str) -> str:
    """Run code under a limit of memory and return what the `UserError` that it raises says."""
    script = f"""
        import resource
        resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
        from paretoken.errors import UserError
        try:
            {code}
        except UserError as error:
            print(error)
        else:
            raise SystemExit("it was read")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


READERS = {
    "rows": (read_rows, "rows.jsonl"),
    "predictions": (read_predictions, "rows.parquet"),
    "json": (read_json, "x.json"),
    "yaml": (read_yaml, "x.yaml"),
    "table": (read_text_table, "x.csv"),
    "measured": (read_measured, "x.csv"),
    "hash": (sha256, "x.bin"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path, name):
    read, file = READERS[name]
    os.mkfifo(tmp_path / file)
    with pytest.raises(UserError, match="pipe or a device; save its content to a file first"):
        read(tmp_path / file)


@pytest.mark.parametrize("name", READERS)
def test_a_folder_and_a_missing_file_are_user_errors(tmp_path, name):
    read, file = READERS[name]
    with pytest.raises(UserError):
        read(tmp_path / file)
    (tmp_path / file).mkdir()
    with pytest.raises(UserError):
        read(tmp_path / file)


def test_a_size_limit_is_reported(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    require_regular(path, 5)
    with pytest.raises(UserError, match="has 5 bytes; at most 4 are read"):
        read_bounded(path, 4)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["dictionary", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize(("length", "rows"), [(MIB, 4096), (8 * MIB, 1024), (1000, 4_000_000)])
def test_a_small_parquet_file_cannot_fill_the_memory(tmp_path, encoding, length, rows):
    import pyarrow as pa
    from pyarrow import parquet

    path, text = tmp_path / "x.parquet", "a" * length
    own = {} if encoding == "dictionary" else {"use_dictionary": False, "column_encoding": encoding}
    indices = pa.array([0], pa.int32()).take(pa.array([0] * rows, pa.int32()))
    table = pa.table({"prediction": pa.DictionaryArray.from_arrays(indices, pa.array([text]))})
    if encoding != "dictionary":  # a part only: the whole would be in this process's memory
        table = pa.table({"prediction": pa.array([text] * (300 * MIB // length + 2))})
    parquet.write_table(table, path, compression="zstd", **own)
    assert path.stat().st_size < 2 * MIB
    said = in_child(
        "from pathlib import Path; from paretoken.data.rows import read_rows; "
        f"read_rows(Path({str(path)!r}))"
    )
    assert "would unpack to more than 268,435,456 bytes" in said


def test_many_empty_rows_are_refused_before_they_are_read(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": pa.nulls(40_000_000, pa.int8())}), path)
    with pytest.raises(UserError, match="would unpack to more than"):
        next(iter(read_rows(path)))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_of_thousands_of_columns_are_refused(tmp_path, suffix):
    import pyarrow as pa
    from pyarrow import parquet

    path, names = tmp_path / f"x.{suffix}", [f"c{number}" for number in range(1001)]
    if suffix == "csv":
        path.write_text(",".join(names) + "\n" + ",".join(["1"] * 1001) + "\n")
        read = read_text_table
    else:
        parquet.write_table(pa.table({name: [1] for name in names}), path)
        read = read_rows
    with pytest.raises(UserError, match="has 1,001 columns; at most 1,000 are read"):
        read(path)


def test_valid_tables_are_read_whole_however_they_are_encoded(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    rows = [
        {"id": str(n), "text": "word " * (n % 7), "picture": bytes([n % 251]) * 50} for n in range(3000)
    ]
    for own in ({}, {"use_dictionary": False}, {"row_group_size": 100}):
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet", **own)
        assert read_rows(tmp_path / "x.parquet") == rows


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", 5, None])
def test_a_data_set_on_disk_names_files_of_its_own_folder_only(tmp_path, name):
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(UserError, match="each as a name in its folder"):
        read_rows(tmp_path)


@pytest.mark.parametrize("state", ["[]", "{}", '{"_data_files": 5}', '{"_data_files": ["x"]}'])
def test_a_damaged_state_of_a_data_set_is_a_user_error(tmp_path, state):
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(UserError):
        read_rows(tmp_path)


def bomb(levels: int, width: int, merge: bool) -> str:
    """Return YAML whose aliases expand to ``width ** levels`` values."""
    lines = ["a0: &a0 {x: 1}" if merge else "a0: &a0 [1]"]
    for level in range(1, levels + 1):
        aliases = ", ".join([f"*a{level - 1}"] * width)
        value = f"{{<<: [{aliases}]}}" if merge else f"[{aliases}]"
        lines.append(f"a{level}: &a{level} {value}")
    return "\n".join(lines)


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize(("levels", "width"), [(9, 9), (30, 2), (6, 40)])
def test_aliases_cannot_expand_without_end(write, merge, levels, width):
    with pytest.raises(UserError, match="more than 200,000 values once its aliases are expanded"):
        read_yaml(write(bomb(levels, width, merge)))


def test_few_aliases_and_merges_are_fine(write):
    content = read_yaml(write(bomb(3, 3, merge=False)))
    assert content["a1"] == [[1]] * 3
    assert read_yaml(write("a: &a {x: 1}\nb: {<<: *a, y: 2}"))["b"] == {"x": 1, "y": 2}


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "&a {*a : 1}"])
def test_an_alias_of_what_contains_it_is_refused(write, text):
    with pytest.raises(UserError):
        read_yaml(write(text))


def test_integers_of_thousands_of_digits_are_user_errors(tmp_path):
    (tmp_path / "x.json").write_text("9" * 5000)
    (tmp_path / "x.yaml").write_text("a: " + "9" * 5000)
    (tmp_path / "x.jsonl").write_text('{"a": ' + "9" * 5000 + "}\n")
    for read, name in ((read_json, "x.json"), (read_yaml, "x.yaml"), (read_rows, "x.jsonl")):
        with pytest.raises(UserError):
            read(tmp_path / name)
