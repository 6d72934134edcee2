"""A disk that fills up, and two devices instead of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import tiny

pytestmark = pytest.mark.slow


def run(*line: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, line)], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save_world(tmp_path_factory.mktemp("world"))
    data = folder / "train.jsonl"
    for line in (
        ("features", "--vision", folder / "vision", "--data", data, "--images", folder / "images",
         "--out", folder / "features"),
        ("tokenize", "--data", data, "--llm", folder / "llm", "--out", folder / "tokens"),
    ):  # fmt: skip
        done = run("paretoken", *line)
        assert done.returncode == 0, done.stderr
    return folder


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


def train(world: Path, out: Path) -> tuple[str | Path, ...]:
    return ("train", "--stage", "pretrain", "--recipe", world / "pretrain.yaml", "--llm", world / "llm",
            "--vision", world / "vision", "--data", world / "tokens", "--features", world / "features",
            "--compressor", "tokenpacker", "--tokens", "4",
            "--set", "micro_batch=2", "--out", out)  # fmt: skip


def test_a_full_disk_is_a_message_and_leaves_nothing_half_written(world: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(200_000))
    done = run("paretoken", *train(world, small_disk / "out"))
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    left = [path for path in (small_disk / "out").rglob("*") if path.is_file()]
    assert left == []
    done = run("paretoken", "features", "--vision", world / "vision", "--data", world / "train.jsonl",
               "--images", world / "images", "--out", small_disk / "features")  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert {path.name for path in small_disk.iterdir()} == {"filler", "out"}


def test_two_devices_train_the_same_model(world: Path, tmp_path: Path) -> None:
    one = run("paretoken", *train(world, tmp_path / "one"))
    assert one.returncode == 0, one.stderr
    launcher = ("torch.distributed.run", "--nproc-per-node", "2", "-m", "paretoken")
    two = run(*launcher, *train(world, tmp_path / "two"))
    assert two.returncode == 0, two.stderr
    records = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two")]
    assert [record["batch"]["devices"] for record in records] == [1, 2]
    assert records[0]["tokens"] == records[1]["tokens"]
    for (step, loss), (same_step, other) in zip(records[0]["loss"], records[1]["loss"], strict=True):
        assert step == same_step
        assert other == pytest.approx(loss, rel=1e-3)
    weights = [load_file(tmp_path / n / "adapter" / "adapter.safetensors") for n in ("one", "two")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, atol=2e-3, rtol=1e-2)
