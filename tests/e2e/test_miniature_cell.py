"""One miniature cell from nothing to scores, and the blind control, with the commands a rule runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import miniature_settings as small
import small_disks
from in_process import paretoken
from paretoken.study.paths import WORLD_QUESTIONS
from paretoken.study.scored import read_scores
from paretoken.world.write import PARTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
]

STAGE = {"steps": 60, "global_batch": 16, "micro_batch": 16, "save_every": 60}


def changed(flag: str, changes: list[tuple[str, str]]) -> list[str]:
    return [word for key, value in changes for word in (flag, f"{key}={value}")]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("miniature")
    world = ["--world", small.RECIPES / "miniature_world.yaml", "--world-seed", 1,
             *changed("--set-world", small.SMALL_WORLD)]  # fmt: skip
    paretoken("world", *world, "--out", folder / "data")
    vision = changed("--set", [("steps", "60"), ("images", "200"), ("check_images", "20")])
    paretoken("pretrain-vision", *world, "--recipe", small.RECIPES / "miniature_vision.yaml", *vision,
              "--out", folder / "vision")  # fmt: skip
    llm = changed("--set", [("steps", "60"), ("check_rows", "50"), ("direct.rows", "64")])
    paretoken("pretrain-llm", "--width", 16, *world, "--recipe", small.RECIPES / "miniature_llm.yaml",
              *llm, "--out", folder / "llm")  # fmt: skip
    images = [folder / "data" / "images" / part for part in ("train", "test")]
    paretoken("features", "--vision", folder / "vision", "--data", *images, "--layers", 2, 3,
              "--normalise", "--aspect", "crop", "--out", folder / "features")  # fmt: skip
    for stage in ("pretrain", "finetune"):
        paretoken("tokenize", "--data", folder / "data" / stage, "--llm", folder / "llm",
                  "--out", folder / "tokens" / stage)  # fmt: skip
    return folder


@pytest.mark.parametrize("tokens", [4, 0])
def test_a_cell_runs_from_its_sources_to_its_scores(sources: Path, tmp_path: Path, tokens: int) -> None:
    cell = ["--llm", sources / "llm", "--vision", sources / "vision", "--features",
            sources / "features", "--compressor", "average_pool", "--tokens", tokens,
            "--layers", 2, 3, "--projector-width", 128, "--whiten", "--seed", 3]  # fmt: skip
    adapter: list[object] = []
    for stage in ("pretrain", "finetune"):
        recipe = small.RECIPES / f"miniature_{stage}.yaml"
        paretoken("train", "--stage", stage, "--recipe", recipe, *cell, *adapter,
                  *changed("--set", [(k, str(v)) for k, v in STAGE.items()]),
                  "--tokenized", sources / "tokens" / stage, "--out", tmp_path / stage)  # fmt: skip
        adapter = ["--adapter", tmp_path / stage / "adapter"]
    loss = json.loads((tmp_path / "finetune" / "run.json").read_text())["loss"]
    assert loss[-1][1] < loss[0][1]
    answers, score = tmp_path / "world.parquet", tmp_path / "world.json"
    paretoken("predict", "--model", tmp_path / "finetune" / "model", "--features", sources / "features",
              "--questions", sources / "data" / WORLD_QUESTIONS, "--out", answers)  # fmt: skip
    paretoken("score", "--benchmark", "world", "--predictions", answers, "--out", score)
    found = read_scores([score])
    assert list(found) == list(PARTS)
    for name, part in found.items():
        assert 0 <= part["score"] <= 1
        assert {row["part"] for row in part["rows"]} == {name}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 kB: too little for the weights of a language model, or for images."""
    with small_disks.small_disk(tmp_path, "48k") as disk:
        yield disk


def test_a_full_disk_is_an_error_and_leaves_nothing(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = [
        "--world",
        small.RECIPES / "miniature_world.yaml",
        *changed("--set-world", small.SMALL_WORLD),
    ]
    llm = ["pretrain-llm", "--width", 48, "--recipe", small.RECIPES / "miniature_llm.yaml",
           *changed("--set", [("steps", "2"), ("check_rows", "10")])]  # fmt: skip
    for line in (["world"], llm):
        paretoken(*line, *world, "--out", small_disk / "out", code=2)
        assert "cannot be written" in capsys.readouterr().err
        assert list(small_disk.iterdir()) == []
