"""Folders are written whole or not at all, and never over what is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretoken.errors import UserError
from paretoken.io.folders import replacing_folder, require_apart


def test_the_old_folder_is_kept_until_the_new_one_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(ZeroDivisionError), replacing_folder(out) as folder:
        (folder / "half").write_text(str(1 / 0))
    assert [path.name for path in out.iterdir()] == ["old"]
    with replacing_folder(out) as folder:
        (folder / "new").touch()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_and_the_current_directory_are_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is a file"), replacing_folder(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path in (Path(), tmp_path):
        with pytest.raises(UserError, match="would be deleted"), replacing_folder(path):
            pass


def test_inputs_must_not_be_inside_the_output(tmp_path: Path) -> None:
    require_apart(tmp_path / "out", tmp_path / "in", tmp_path, None)
    for needed in (tmp_path / "out", tmp_path / "out" / "in" / "file.json"):
        with pytest.raises(UserError, match="would be deleted"):
            require_apart(tmp_path / "out", needed)
