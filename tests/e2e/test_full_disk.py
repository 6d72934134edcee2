"""A disk that fills up."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny
from paretoken.cli import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_prepared_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 kB: enough for a token set, too little for a checkpoint or features."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", tmp_path], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def train(world: Path, out: Path) -> list[str]:
    line = ("train", "--stage", "pretrain", "--recipe", world / "pretrain.yaml", "--llm", world / "llm",
            "--vision", world / "vision", "--data", world / "tokens", "--features", world / "features",
            "--compressor", "tokenpacker", "--tokens", "4",
            "--set", "micro_batch=2", "--out", out)  # fmt: skip
    return list(map(str, line))


def test_a_full_disk_is_a_message_and_leaves_nothing_half_written(
    world: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_disk / "filler").write_bytes(bytes(200_000))
    assert main(train(world, small_disk / "out")) == 2
    assert "cannot be written" in capsys.readouterr().err
    left = [path for path in (small_disk / "out").rglob("*") if path.is_file()]
    assert left == []
    line = ["features", "--vision", world / "vision", "--data", world / "train.jsonl",
            "--images", world / "images", "--out", small_disk / "features"]  # fmt: skip
    assert main([str(word) for word in line]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert {path.name for path in small_disk.iterdir()} == {"filler", "out"}
