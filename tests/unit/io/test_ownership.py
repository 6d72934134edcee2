"""What a process that was left behind on a lost node may write: nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from paretoken.errors import UserError
from paretoken.io import ownership
from paretoken.io.files import write_text
from paretoken.io.folders import replacing_folder
from paretoken.io.ownership import OWNER, require_ownership
from paretoken.train.checkpoints import seal


def write_file(folder: Path) -> None:
    write_text(folder / "run.json", "new")


def write_folder(folder: Path) -> None:
    with replacing_folder(folder / "model") as new:
        (new / "weights").write_text("new")


def write_checkpoint(folder: Path) -> None:
    made = folder / "saving"
    made.mkdir()
    seal(made, folder / "checkpoint-5", "key", 5, {})


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "owners" / "abc"
    file.parent.mkdir()
    file.write_text("7.0.gpu1")
    monkeypatch.setenv(OWNER, f"7.0.gpu1\n{file}")
    return file


@pytest.mark.parametrize("write", [write_file, write_folder, write_checkpoint])
def test_only_the_latest_start_writes(
    owner: Path, tmp_path: Path, write: Callable[[Path], None]
) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a")
    assert len(list((tmp_path / "a").iterdir())) == 1
    owner.write_text("7.1.gpu2")
    (tmp_path / "b").mkdir()
    with pytest.raises(
        UserError, match=r"as job 7, restart 1, on gpu2; this is job 7, restart 0, on gpu1"
    ):
        write(tmp_path / "b")
    assert not [path for path in (tmp_path / "b").iterdir() if path.name != "saving"]


def test_what_a_later_start_has_written_stays(owner: Path, tmp_path: Path) -> None:
    result = tmp_path / "run.json"
    result.write_text("of the later start")
    owner.write_text("8.0.gpu1")
    with pytest.raises(UserError):
        write_text(result, "of the earlier one")
    assert result.read_text() == "of the later start"


def test_outside_of_a_cluster_and_without_records_everyone_may_write(
    owner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_ownership(tmp_path, {})
    owner.unlink()
    require_ownership(tmp_path)
    owner.mkdir()
    monkeypatch.setattr(ownership, "PAUSE_S", 0.0)
    with pytest.raises(UserError, match="which names the owner"):
        require_ownership(tmp_path)


def test_a_group_whose_later_start_has_fewer_members_is_recognised(
    owner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = owner.with_name("def")
    other.write_text("7.0.gpu1")
    monkeypatch.setenv(OWNER, f"7.0.gpu1\n{owner}\n{other}")
    require_ownership(tmp_path)
    other.write_text("9.0.gpu1")
    with pytest.raises(UserError, match="as job 9, restart 0"):
        require_ownership(tmp_path)


def test_a_failing_file_system_ends_no_training(
    owner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stumbles = iter([OSError("stale"), OSError("stale")])
    read = Path.read_text

    def stumbling(path: Path, **settings: str) -> str:
        for error in stumbles:
            raise error
        return read(path, **settings)

    monkeypatch.setattr(ownership, "PAUSE_S", 0.0)
    monkeypatch.setattr(Path, "read_text", stumbling)
    require_ownership(tmp_path)
