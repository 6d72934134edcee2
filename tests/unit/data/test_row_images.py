"""Pictures that rows hold are the same read one by one as read at once, in little memory."""

from __future__ import annotations

import copy
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import ipc
from pyarrow.parquet import write_table
from torch.utils.data import DataLoader

from paretoken.data import row_images
from paretoken.data.columnar import stream_batches
from paretoken.data.images import image_source, stored_images
from paretoken.data.row_images import RowImages
from paretoken.data.rows import read_rows
from paretoken.data.unpacked import Limits
from paretoken.errors import UserError

KINDS = ["parquet", "folder"]
Rows = list[dict[str, Any]]


def some_rows(seed: int, count: int, size: int) -> Rows:
    """Return rows whose images are of all kinds: stored with and without a path, named, absent, bad."""
    generator = random.Random(seed)
    rows: Rows = []
    for number in range(count):
        content = generator.randbytes(generator.randrange(1, size))
        path = generator.choice([f"{number}.png", "image.png", None, "", "ä/b.jpg"])
        image = generator.choice(
            [{"bytes": content, "path": path}] * 5
            + [None, {"bytes": None, "path": "file.png"}, {"bytes": None, "path": None}]
            + [{"bytes": b"", "path": "x"}, {"bytes": b"the same in many rows", "path": "same"}]
        )
        rows.append({"id": number, "image": image, "text": "word " * generator.randrange(20)})
    return rows


SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("text", pa.string()),
    ]
)


def save(folder: Path, kind: str, rows: Rows, per_part: int, seed: int = 0, **options: Any) -> Path:
    """Write a data set with row groups or record batches of ``per_part`` rows."""
    table = pa.Table.from_pylist(rows, SCHEMA)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "parquet":
        write_table(table, folder / "rows.parquet", row_group_size=per_part, **options)
        return folder / "rows.parquet"
    generator, names = random.Random(seed), []
    cuts = sorted({0, len(rows), *(generator.randrange(len(rows) + 1) for _ in range(3))})
    for start, end in pairwise(cuts):
        names.append(f"data-{len(names)}.arrow")
        with ipc.new_stream(folder / names[-1], SCHEMA) as stream:
            stream.write_table(table.slice(start, end - start), max_chunksize=per_part)
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_each_picture_is_the_one_that_is_read_at_once(
    tmp_path: Path, kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = random.Random(seed)
    # Chunks of one row, of a few, and of all rows of a part.
    monkeypatch.setattr(row_images, "CHUNK", Limits(batch=[1, 20_000, 1 << 30][seed % 3]))
    rows = some_rows(seed, generator.choice([1, 40, 150]), 2000)
    options = {"compression": ("snappy", "none")[seed % 2]} if kind == "parquet" else {}
    path = save(tmp_path / "set", kind, rows, generator.choice([1, 7, 1000]), seed, **options)
    expected, found = stored_images(read_rows(path)), RowImages(path)
    assert list(found) == list(expected)
    assert len(found) == len(expected)
    assert dict(found) == expected  # in their order
    names = list(expected) * 2
    generator.shuffle(names)
    for name in names:
        assert name in found
        assert found[name] == expected[name]
    assert "none" not in found
    assert found.get("none") is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_of_datasets_itself_are_read(tmp_path: Path, kind: str) -> None:
    from datasets import Dataset, Features, Image, Value

    rows = [{"id": n, "image": {"bytes": bytes([n]) * 50, "path": None}} for n in range(30)]
    made = Dataset.from_list(rows, Features({"id": Value("int64"), "image": Image(decode=False)}))
    path = tmp_path / ("rows.parquet" if kind == "parquet" else "rows")
    if kind == "parquet":
        made.to_parquet(path, batch_size=7)
    else:
        made.save_to_disk(path, num_shards=3)
    assert dict(RowImages(path)) == stored_images(rows)


def read_some(images: RowImages, names: list[str]) -> list[str]:
    return [hashlib.sha256(images[name]).hexdigest() for name in names]


class Contents:
    """A data set of PyTorch: the hashes of pictures, which its workers read."""

    def __init__(self, images: RowImages, names: list[str]) -> None:
        self.images, self.names = images, names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> str:
        return read_some(self.images, [self.names[number]])[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_threads_and_processes_share_it(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / "set", kind, some_rows(1, 120, 3000), 11)
    expected, images = stored_images(read_rows(path)), RowImages(path)
    names = list(expected) * 3
    random.Random(0).shuffle(names)
    right = [hashlib.sha256(expected[name]).hexdigest() for name in names]
    assert read_some(images, names[:5]) == right[:5]  # the files are open before others start
    parts = [names[start::4] for start in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for start, found in enumerate(pool.map(read_some, [images] * 4, parts)):
            assert found == right[start::4]
    again = copy.deepcopy(images)
    assert read_some(again, names[:5]) == right[:5]
    loader: Any = DataLoader(
        Contents(images, names), batch_size=8, num_workers=3, multiprocessing_context="fork"
    )
    assert [each for batch in loader for each in batch] == right
    assert read_some(images, names) == right  # this process is still at its own place


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_process_that_shares_no_memory_reads_it(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / "set", kind, some_rows(2, 40, 500), 11)
    images = RowImages(path)
    names = list(images)
    assert images[names[0]]
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        (found,) = pool.starmap(read_some, [(images, names)])
    assert found == read_some(images, names)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_the_data_set(tmp_path: Path, kind: str) -> None:
    """48 MiB of pictures in parts of 1 MiB: names are read of 1024 rows, 8 MiB, at a time.

    Counted is what pyarrow and Python allocate, not pages of mapped files, which the system may drop.
    """
    generator, mib = random.Random(0), 1 << 20
    rows: Rows = [
        {"id": n, "image": {"bytes": generator.randbytes(8192), "path": None}, "text": ""}
        for n in range(48 * 128)
    ]
    path = save(tmp_path / "set", kind, rows, 128)
    del rows
    pool = pa.default_memory_pool()
    held = pool.bytes_allocated()
    tracemalloc.start()
    try:
        images = RowImages(path)
        names = list(images)
        chosen = generator.sample(names, 500)
        assert sum(len(images[name]) for name in chosen) == 500 * 8192
        held_now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(names) == 48 * 128
    assert peak < 28 * mib
    assert held_now < 6 * mib
    assert pool.bytes_allocated() - held < 12 * mib


def test_parquet_is_read_at_once_if_it_is_small_or_has_large_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = some_rows(6, 100, 3000)
    paths = {per: save(tmp_path / str(per), "parquet", rows, per) for per in (5, 100)}
    folder = save(tmp_path / "folder", "folder", rows, 100)
    expected = stored_images(read_rows(folder))

    def in_memory() -> dict[str, bool]:
        found = {str(per): image_source(path).stored for per, path in paths.items()}
        found["folder"] = image_source(folder).stored
        assert all(dict(stored) == expected for stored in found.values())
        return {name: isinstance(stored, dict) for name, stored in found.items()}

    assert in_memory() == {"5": True, "100": True, "folder": False}
    monkeypatch.setattr(row_images, "SMALL", 1000)
    assert in_memory() == {"5": False, "100": False, "folder": False}
    monkeypatch.setattr(row_images, "LARGEST_GROUP", 30_000)
    assert in_memory() == {"5": False, "100": True, "folder": False}
    paths[5].write_bytes(b"PAR1" + bytes(2000))
    with pytest.raises(UserError, match="is not a whole Parquet file"):
        image_source(paths[5])


def damage(path: Path, place: float, generator: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(8):
        content[min(len(content) - 1, int(place * len(content)) + generator.randrange(8))] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_errors_and_never_other_pictures(tmp_path: Path, kind: str) -> None:
    """Damaged before it is opened: the errors of `read_rows`. Afterwards: an error, or the picture."""
    whole = save(tmp_path / "set", kind, some_rows(3, 60, 400), 9)
    generator = random.Random(0)
    errors = []
    for number in range(25):
        folder = tmp_path / str(number)
        path = Path(shutil.copytree(tmp_path / "set", folder)) / whole.relative_to(tmp_path / "set")
        opened = RowImages(path)
        expected = dict(opened) if number % 2 else stored_images(read_rows(path))
        file = path if kind == "parquet" else sorted(folder.glob("*.arrow"))[0]
        damage(file, generator.random(), generator)
        at_once: Callable[[], Any] = lambda p=path: stored_images(read_rows(p))  # noqa: E731
        assert outcome(at_once) == outcome(lambda p=path: RowImages(p))
        for name, content in expected.items():
            try:
                assert opened[name] == content
            except UserError as error:
                errors.append(str(error))
        shutil.rmtree(folder)
    assert errors
    assert all(error.startswith(str(tmp_path)) for error in errors)


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return dict(read())
    except UserError as error:
        return str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_set_that_was_replaced_is_an_error(tmp_path: Path, kind: str) -> None:
    rows = some_rows(4, 60, 400)
    path = save(tmp_path / "set", kind, rows, 9)
    images = RowImages(path)
    for other in (rows[::-1], rows[:5], some_rows(5, 60, 400)):
        shutil.rmtree(tmp_path / "set")
        save(tmp_path / "set", kind, other, 9)
        held = stored_images(other)
        again = copy.deepcopy(images)
        errors = []
        for name in images:
            try:
                assert hashlib.sha256(again[name]).hexdigest().startswith(name.rpartition("#")[2])
            except UserError as error:
                errors.append(str(error))
        assert len(errors) >= max(1, len(set(images) - set(held)))
        assert all("start again" in error for error in errors)


def test_a_missing_or_empty_data_set_is_an_error_as_before(tmp_path: Path) -> None:
    path = save(tmp_path / "set", "parquet", some_rows(0, 5, 50), 5)
    images = RowImages(path)
    path.unlink()
    with pytest.raises(UserError, match=r"rows\.parquet cannot be read: No such file"):
        images[next(iter(images))]
    with pytest.raises(UserError, match="does not exist"):
        RowImages(path)
    write_table(pa.Table.from_pylist([], SCHEMA), path)
    with pytest.raises(UserError, match="holds no rows"):
        RowImages(path)
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(UserError, match="is not a regular file"):
        RowImages(tmp_path / "pipe.parquet")


def test_a_stream_may_be_larger_than_the_memory_for_decoding(tmp_path: Path) -> None:
    """It is mapped, which takes addresses, and those are what the limit counts."""
    content = bytes(1 << 20)
    image = pa.array([{"bytes": content, "path": None}])
    with ipc.new_stream(tmp_path / "a.arrow", pa.schema([("image", image.type)])) as sink:
        for _ in range(40):
            sink.write_batch(pa.record_batch([image], ["image"]))
    found = stream_batches(tmp_path / "a.arrow", Limits(working=16 << 20))
    assert [batch["image"][0]["bytes"].as_py() == content for batch in found] == [True] * 40
