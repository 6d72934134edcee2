"""Weights are hashed once, and again whenever they might have changed."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from paretoken.errors import UserError
from paretoken.io.files import sha256
from paretoken.model_files import known_hashes
from paretoken.model_files.known_hashes import KNOWN, SETTLED_NS, file_hashes
from paretoken.model_files.pretrained import weights_hash

NAMES = ["a.safetensors", "b.safetensors"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    for name in NAMES:
        (folder / name).write_bytes(name.encode() * 100)
        age(folder / name)
    return folder


def age(path: Path, seconds: int = 60) -> None:
    """Give a file an earlier modification time, as if it had been written then."""
    then = time.time_ns() - SETTLED_NS - seconds * 1_000_000_000
    os.utime(path, ns=(then, then))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that were hashed."""
    names: list[str] = []

    def counted(path: Path) -> str:
        names.append(path.name)
        return sha256(path)

    monkeypatch.setattr(known_hashes, "sha256", counted)
    return names


def truth(folder: Path) -> list[str]:
    return [sha256(folder / name) for name in NAMES]


def test_files_are_hashed_once(model: Path, hashed: list[str]) -> None:
    assert [file_hashes(model, NAMES) for _ in range(3)] == [truth(model)] * 3
    assert hashed == NAMES


def test_the_hash_of_a_model_is_as_before_and_follows_its_config(model: Path, hashed: list[str]) -> None:
    first = weights_hash(model)
    assert weights_hash(model) == first
    assert hashed == NAMES
    stamp = (model / "config.json").stat()
    (model / "config.json").write_text("[]")  # same size and time: small files are always read
    os.utime(model / "config.json", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert weights_hash(model) != first


def test_other_content_is_noticed(model: Path, hashed: list[str]) -> None:
    before, path = file_hashes(model, NAMES), model / NAMES[1]
    path.write_bytes(path.read_bytes()[::-1])  # same size, other time
    age(path, 30)
    after = file_hashes(model, NAMES)
    assert after == truth(model) != before
    path.write_bytes(path.read_bytes() + b"more")
    assert file_hashes(model, NAMES) == truth(model) != after
    assert hashed == [*NAMES, NAMES[1], NAMES[1]]


def test_a_replaced_file_is_noticed_even_with_equal_size_and_time(model: Path) -> None:
    before, path = file_hashes(model, NAMES), model / NAMES[0]
    stamp, other = path.stat(), model / "other"
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    other.replace(path)
    assert path.stat().st_mtime_ns == stamp.st_mtime_ns
    assert file_hashes(model, NAMES) == truth(model) != before


def test_what_is_not_noticed_is_what_the_documentation_says(model: Path) -> None:
    """Content written into the same file, of equal size, with the time set back."""
    before, path = file_hashes(model, NAMES), model / NAMES[0]
    stamp = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert file_hashes(model, NAMES) == before != truth(model)


def test_hashes_of_files_that_changed_just_now_are_not_kept(model: Path, hashed: list[str]) -> None:
    path = model / NAMES[0]
    for content in (b"first", b"other"):
        path.write_bytes(content)  # as fast as this, both may have the same time
        assert file_hashes(model, NAMES) == truth(model)
    assert hashed == [*NAMES, NAMES[0]]
    age(path)
    file_hashes(model, NAMES)
    file_hashes(model, NAMES)
    assert hashed == [*NAMES, NAMES[0], NAMES[0]]


def test_a_copy_is_hashed_once(model: Path, tmp_path: Path, hashed: list[str]) -> None:
    file_hashes(model, NAMES)
    for copy in (shutil.copyfile, shutil.copy2):
        folder = tmp_path / copy.__name__
        shutil.copytree(model, folder, copy_function=copy)
        for name in NAMES:
            age(folder / name)
        hashed.clear()
        assert [file_hashes(folder, NAMES) for _ in range(2)] == [truth(model)] * 2
        assert hashed == NAMES


def test_a_damaged_record_is_not_believed(model: Path, hashed: list[str]) -> None:
    file_hashes(model, NAMES)
    whole, generator = (model / KNOWN).read_bytes(), random.Random(0)
    damaged = [b"", b"null", b"[]", b"{}", b'{"files": {}, "check": ""}', b'{"files": 1, "check": 2}']
    digest = sha256(model / NAMES[0])
    damaged.append(whole.replace(digest.encode(), digest[::-1].encode()))
    for _ in range(60):
        place = generator.randrange(len(whole))
        damaged.append(whole[:place])
        damaged.append(whole[:place] + bytes([generator.randrange(256)]) + whole[place + 1 :])
    for content in damaged:
        (model / KNOWN).write_bytes(content)
        assert file_hashes(model, NAMES) == truth(model)
    assert len(hashed) > 2 * len(damaged)


def test_a_record_with_values_of_other_types_is_not_believed(model: Path) -> None:
    file_hashes(model, NAMES)
    files = json.loads((model / KNOWN).read_text())["files"]
    for value in (None, 5, [], {}, ["x"], [*files[NAMES[0]][:3], 5], [*files[NAMES[0]], 1]):
        other = {**files, NAMES[0]: value}
        content = {"files": other, "check": known_hashes._check(other)}
        (model / KNOWN).write_text(json.dumps(content))
        assert file_hashes(model, NAMES) == truth(model)


def test_a_folder_that_cannot_be_written_is_read(
    model: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, content: object) -> None:
        raise UserError(f"{path} cannot be written: Read-only file system")

    monkeypatch.setattr(known_hashes, "write_json", refused)  # permissions do not stop root
    assert [file_hashes(model, NAMES) for _ in range(2)] == [truth(model)] * 2
    assert hashed == NAMES * 2
    assert not (model / KNOWN).exists()


def test_a_missing_file_is_named(model: Path) -> None:
    with pytest.raises(UserError, match=r"c.safetensors cannot be read: No such file"):
        file_hashes(model, ["c.safetensors"])
    file_hashes(model, NAMES)
    (model / NAMES[0]).unlink()
    with pytest.raises(UserError, match=r"a.safetensors cannot be read: No such file"):
        file_hashes(model, NAMES)


def hash_and_note(folder: Path, notes: Path, number: int) -> None:
    def slow(path: Path) -> str:
        (notes / f"{path.name} {number}").touch()
        time.sleep(0.2)
        return sha256(path)

    known_hashes.sha256 = slow
    assert file_hashes(folder, NAMES) == truth(folder)


def test_of_several_processes_only_one_hashes(model: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=hash_and_note, args=(model, notes, n)) for n in range(4)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * 4
    assert len(list(notes.iterdir())) == len(NAMES)
