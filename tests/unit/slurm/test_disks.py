"""Which disk is full."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from paretoken.slurm import disks
from paretoken.slurm.disks import end_of, full_disk


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Free bytes by folder; others have enough."""
    bytes_of: dict[str, float] = {}
    monkeypatch.setattr(
        disks.shutil, "disk_usage", lambda path: SimpleNamespace(free=bytes_of.get(str(path), 1e12))
    )
    return bytes_of


def test_no_message_while_there_is_room(tmp_path: Path, free: dict[str, float]) -> None:
    assert full_disk("Traceback: KeyError", tmp_path) == ""


@pytest.mark.parametrize(
    "said", ["", "x cannot be written: No space left on device", "Disk quota exceeded"]
)
def test_the_disk_of_the_results_is_named(tmp_path: Path, free: dict[str, float], said: str) -> None:
    free[str(tmp_path)] = 0
    assert full_disk(said, tmp_path / "not" / "yet").startswith(f"the disk of {tmp_path} (mounted at ")


def test_the_disk_of_another_folder_is_named(tmp_path: Path, free: dict[str, float]) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    free[str(cache)] = 0
    said = f"OSError: {cache}/models/x cannot be written: No space left on device"
    assert f"the disk of {cache} (" in full_disk(said, tmp_path)


def test_a_quota_is_reported_though_the_disk_has_room(tmp_path: Path, free: dict[str, float]) -> None:
    assert "was full, or its quota" in full_disk("write: Disk quota exceeded", tmp_path)


def test_only_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"\xff" * 10**6 + b"the end")
    assert end_of(tmp_path / "a.log").endswith("the end")
    assert len(end_of(tmp_path / "a.log")) == disks.END_BYTES
    assert end_of(tmp_path / "absent") == end_of(tmp_path) == ""
