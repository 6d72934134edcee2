"""`paretoken predict` as a person runs it: models of any V, and images with their own numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import tiny
from paretoken.cli import main
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.questions import parse_questions


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_world(tmp_path_factory.mktemp("world"))


def trained(world: Path, compressor: str, tokens: int) -> Path:
    """Return a model of a few steps, trained by the command line."""
    folder = world / compressor
    if not (world / "tokens").exists():
        assert main(["tokenize", "--data", str(world / "train.jsonl"), "--llm", str(world / "llm"),
                     "--out", str(world / "tokens")]) == 0  # fmt: skip
    line = ["--llm", world / "llm", "--vision", world / "vision", "--tokenized", world / "tokens",
            "--images", world / "images", "--compressor", compressor, "--tokens", tokens,
            "--set", "steps=2", "--seed", 0]  # fmt: skip
    for stage, extra in (("pretrain", []), ("finetune", ["--adapter", folder / "pretrain/adapter"])):
        words = ["train", "--stage", stage, "--recipe", world / f"{stage}.yaml", *line, *extra]
        assert main([str(word) for word in (*words, "--out", folder / stage)]) == 0
    return folder / "finetune" / "model"


def predict(world: Path, model: Path, out: Path, *options: str) -> int:
    line = ["predict", "--model", model, "--questions", world / "questions.jsonl",
            "--images", world / "images", "--batch", "7", *options, "--out", out]  # fmt: skip
    return main([str(word) for word in line])


@pytest.mark.parametrize(
    ("name", "counts"), [("matryoshka_pooling", (1, 4, 9, 36)), ("matryoshka_query", (1, 2, 5, 36))]
)
def test_one_elastic_model_answers_with_any_number_of_tokens(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, counts: tuple[int, ...]
) -> None:
    model = trained(world, name, 36)
    questions = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))
    for tokens in counts:
        out = tmp_path / f"{tokens}.parquet"
        assert predict(world, model, out, "--tokens", str(tokens)) == 0
        rows = pd.read_parquet(out)
        assert rows["question_id"].tolist() == [question.id for question in questions]
        predictor = open_predictor(model, images=world / "images", batch=1, tokens=tokens)
        assert predictor.model.config.visual_tokens == tokens
        assert rows["prediction"].tolist() == [p.text for p in predictor.answer(questions)]
    capsys.readouterr()
    assert predict(world, model, tmp_path / "no.parquet", "--tokens", "40") == 2
    assert "cannot make 40 tokens" in capsys.readouterr().err
    assert predict(world, model, tmp_path / "no.parquet", "--adaptive") == 2
    assert "only prumerge and prumerge_plus" in capsys.readouterr().err
    assert not (tmp_path / "no.parquet").exists()


@pytest.mark.parametrize("name", ["prumerge", "prumerge_plus"])
def test_adaptive_answers_do_not_depend_on_the_batch(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    model = trained(world, name, 4)
    for batch in ("7", "1"):
        assert predict(world, model, tmp_path / f"{batch}.parquet", "--adaptive", "--batch", batch) == 0
    together, alone = (pd.read_parquet(tmp_path / f"{batch}.parquet") for batch in ("7", "1"))
    assert len(together) == 24
    assert together["prediction"].tolist() == alone["prediction"].tolist()
    capsys.readouterr()
    assert predict(world, model, tmp_path / "no.parquet", "--tokens", "9") == 2
    assert "was trained with 4 visual tokens" in capsys.readouterr().err
