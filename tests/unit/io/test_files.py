"""Files are written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest

from paretoken.errors import UserError
from paretoken.io.files import (
    read_json,
    read_object,
    replacing,
    require_writable,
    sha256,
    write_json,
    write_text,
)


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("new, but not")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_no_file_where_there_was_none(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "new.csv"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_is_kept_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent.parent == path.parent, "a rename within one file system is atomic"
        assert temporary.suffix == ".csv"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "é\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é\n".encode()


def test_a_folder_in_the_way_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "x.csv", tmp_path / "folder"):
        with pytest.raises(UserError, match="cannot be written"):
            write_text(path, "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_pipe_or_device_is_left_alone(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for write in (lambda: write_text(pipe, "x"), lambda: require_writable(pipe)):
        with pytest.raises(UserError, match="it is not a regular file"):
            write()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    for link, target in (("old", "there/old.txt"), ("new", "there/new.txt")):
        (tmp_path / link).symlink_to(tmp_path / target)
    (tmp_path / "there" / "old.txt").write_text("old")
    for link in ("old", "new"):
        write_text(tmp_path / link, link)
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / "there" / f"{link}.txt").read_text() == link
    assert sorted(p.name for p in (tmp_path / "there").iterdir()) == ["new.txt", "old.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_results_can_be_read_by_others(tmp_path):
    old = os.umask(0o022)
    try:
        write_text(tmp_path / "x", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644


def test_json_round_trip_and_no_infinities(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": [1, 0.1, None, "é"]})
    assert read_json(path) == {"a": [1, 0.1, None, "é"]}
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON compliant"):
            write_json(path, {"a": value})
    assert json.loads(path.read_text()) == {"a": [1, 0.1, None, "é"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "is not valid JSON"), (b"", "is not valid JSON"), (b"\xff\xfe{}", "cannot be read")],
)
def test_bad_json_is_a_user_error(write, content, words):
    with pytest.raises(UserError, match=words):
        read_json(write(content, "x.json"))


def test_missing_json_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"absent\.json cannot be read"):
        read_json(tmp_path / "absent.json")


def test_deep_json_and_json_that_is_not_an_object_are_user_errors(write):
    with pytest.raises(UserError, match="is not valid JSON"):
        read_json(write("[" * 100_000, "deep.json"))
    for text in ("[]", "null", "5"):
        with pytest.raises(UserError, match="must hold a JSON object"):
            read_object(write(text, "other.json"))


def test_hashing_something_other_than_a_file_is_a_user_error(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="cannot be read"):
            sha256(path)


def test_sha256(write):
    assert sha256(write(b"abc", "x")) == hashlib.sha256(b"abc").hexdigest()
