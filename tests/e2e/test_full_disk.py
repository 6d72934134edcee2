"""A disk that fills up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import small_disks
import tiny
from in_process import paretoken

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
    with small_disks.small_disk(tmp_path, "300k") as disk:
        yield disk


def test_a_full_disk_is_a_message_and_leaves_nothing_half_written(
    world: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_disk / "filler").write_bytes(bytes(200_000))
    paretoken(
        *("train", "--stage", "pretrain", "--recipe", world / "pretrain.yaml", "--llm", world / "llm"),
        *(
            "--vision",
            world / "vision",
            "--tokenized",
            world / "tokens",
            "--features",
            world / "features",
        ),
        *("--compressor", "tokenpacker", "--tokens", "4", "--set", "micro_batch=2"),
        *("--out", small_disk / "out"),
        code=2,
    )
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert "Traceback" not in said
    left = [path for path in (small_disk / "out").rglob("*") if path.is_file()]
    assert left == []
    paretoken(
        *("features", "--vision", world / "vision", "--data", world / "train.jsonl"),
        *("--images", world / "images", "--out", small_disk / "features"),
        code=2,
    )
    assert "cannot be written" in capsys.readouterr().err
    assert {path.name for path in small_disk.iterdir()} == {"filler", "out"}
