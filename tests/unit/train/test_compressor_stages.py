"""Both stages and the answers of compressors that are not trained like the others."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from paretoken.compressors.matryoshka_query import drawn_counts
from paretoken.data.collation import Packing, TrainingCollator
from paretoken.data.encoded import read_encoded
from paretoken.data.features import FeatureStore
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.evaluate.longer_questions import Lengthener, measure
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.questions import parse_questions
from paretoken.models.assemble import Choice
from paretoken.registry import BENCHMARKS
from paretoken.train.showings import shown_counts
from paretoken.train.stage import StageInputs, run_stage
from stages import recipe


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("world")
    options = ("--aspect", "crop", "--layers", "2", "3")
    return tiny.save_prepared_world(folder, *options)


def choice(name: str, tokens: int) -> Choice:
    return Choice(name, tokens, layers=(2, 3), heads=4)


def train(world: Path, out: Path, name: str, tokens: int, **changes: Any) -> list[dict[str, Any]]:
    """Train both stages of a few steps; return their records."""
    made = StageInputs(
        llm=world / "llm", vision=world / "vision", data=world / "tokens", out=out / "1",
        choice=choice(name, tokens), seed=0, features=world / "features",
    )  # fmt: skip
    made = dataclasses.replace(made, **changes)
    first = run_stage(made, recipe(world, "pretrain"), say=lambda line: None)
    second = dataclasses.replace(made, out=out / "2", adapter=out / "1" / "adapter")
    return [first, run_stage(second, recipe(world, "finetune"), say=lambda line: None)]


def test_an_elastic_model_is_trained_once_and_answers_with_any_number(
    world: Path, tmp_path: Path
) -> None:
    questions = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))
    for name in ("matryoshka_query", "matryoshka_pooling"):
        first, second = train(world, tmp_path / name, name, 36)
        assert second["loss"][-1][1] < 0.8 * first["loss"][0][1]
        at = second["prefill_flops_at"]
        assert at["1"]["0"]["llm"] < at["36"]["0"]["llm"]
        assert (len(at), "prefill_flops_at" in second) == ({"matryoshka_query": 36}.get(name, 4), True)
        found = {}
        for tokens in (1, 4, 36):
            predictor = open_predictor(
                tmp_path / name / "2" / "model", world / "features", batch=7, tokens=tokens
            )
            assert predictor.model.config.visual_tokens == tokens
            found[tokens] = [p.text for p in predictor.answer(questions)]
        assert {len(texts) for texts in found.values()} == {len(questions)}
    with pytest.raises(UserError, match=r"trained once.*--tokens 36"):
        train(world, tmp_path / "few", "matryoshka_query", 4)


def test_a_model_that_reads_the_question_trains_and_remembers_no_question_while_timed(
    world: Path, tmp_path: Path
) -> None:
    first, second = train(world, tmp_path, "quecc", 4)
    assert second["loss"][-1][1] < 0.8 * first["loss"][0][1]
    assert second["prefill_flops"]["50"]["question"] > 0
    plain = train(world, tmp_path / "plain", "tokenpacker", 4)[1]
    assert "question" not in plain["prefill_flops"]["50"]
    predictor = open_predictor(tmp_path / "2" / "model", world / "features", batch=5)
    questions = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))
    together = predictor.answer(questions)
    assert len(predictor.model.question_cache or {}) == 1  # they all ask for the colour
    predictor.forget()
    assert predictor.model.question_cache == {}
    assert [predictor.answer([question])[0] for question in questions] == together
    other = [dataclasses.replace(question, text="what is it ?") for question in questions]
    assert predictor.answer(other) is not None
    assert len(predictor.model.question_cache or {}) == 2


def test_smaller_images_train_from_files_and_refuse_features(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="downsample reads smaller images"):
        train(world, tmp_path / "no", "downsample", 4)
    online = {"features": None, "images": world / "images", "aspect": "crop", "normalise": True}
    record = train(world, tmp_path, "downsample", 4, **online)[1]
    config = json.loads((tmp_path / "2" / "model" / "config.json").read_text())
    assert config["normalise_features"]
    whole = train(world, tmp_path / "whole", "none", 36, **online)[1]
    assert record["prefill_flops"]["0"]["encoder"] < 0.3 * whole["prefill_flops"]["0"]["encoder"]
    questions = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))
    predictor = open_predictor(tmp_path / "2" / "model", images=world / "images")
    assert len(predictor.answer(questions)) == 24
    with pytest.raises(UserError, match="give --images instead of --features"):
        open_predictor(tmp_path / "2" / "model", world / "features")


def collator(
    world: Path, counts: Any, packing: Packing | None = None, ask: bool = False
) -> TrainingCollator:
    data, store = read_encoded(world / "tokens"), FeatureStore(world / "features")
    return TrainingCollator(data, store, 36, 0, 96, packing, counts, ask)


@pytest.mark.parametrize("packing", [None, "rows"])
def test_every_scale_of_a_conversation_is_in_its_batch(world: Path, packing: Packing | None) -> None:
    counts = shown_counts("matryoshka_pooling", 6, 36, "finetune", 24, 0)
    assert counts[3].tolist() == [1, 4, 9, 36]
    made = collator(world, counts, packing)
    image = made.data.image_token_id
    batch = made([3, 5])
    assert sorted(batch["token_counts"].tolist()) == [1, 1, 4, 4, 9, 9, 36, 36]
    assert int((batch["input_ids"] == image).sum()) == 2 * (1 + 4 + 9 + 36)
    assert len(batch["features"]) == 2
    assert (batch["labels"] != -100).sum() == 4 * sum(
        int(made.expanded(number * 4)[1][1:].sum()) for number in (3, 5)
    )
    assert (
        made.lengths[3]
        == made.showings[3].sum()
        == sum(made.showings[3, 0] + n - 1 for n in (1, 4, 9, 36))
    )
    if packing is None:
        assert (batch["input_ids"] == image).sum(1).tolist() == batch["token_counts"].tolist()


def test_random_prefixes_are_drawn_by_seed_from_one_and_even_numbers() -> None:
    draw = shown_counts("matryoshka_query", 24, 256, "finetune", 5000, 3)
    assert set(draw.ravel().tolist()) == set(drawn_counts(24)) == {1, *range(2, 257, 2)}
    assert np.array_equal(draw, shown_counts("matryoshka_query", 24, 256, "finetune", 5000, 3))
    assert not np.array_equal(draw, shown_counts("matryoshka_query", 24, 256, "finetune", 5000, 4))
    assert set(shown_counts("matryoshka_query", 24, 256, "pretrain", 9, 3).ravel()) == {256}
    assert shown_counts("matryoshka_pooling", 24, 0, "finetune", 9, 3).shape == (9, 1)


def test_batches_hold_the_first_question_of_each_place(world: Path) -> None:
    made = collator(world, None, ask=True)
    batch = made([0, 1])  # the first has a second turn
    tokenizer: Any = __import__("transformers").PreTrainedTokenizerFast.from_pretrained(world / "llm")
    for ids, mask in zip(batch["question_ids"], batch["question_mask"], strict=True):
        words = tokenizer.convert_ids_to_tokens(ids[mask.bool()].tolist())
        assert words == ["what", "colour", "is", "it", "?"]
    old = dataclasses.replace(made.data, question_ids=None)
    with pytest.raises(UserError, match="no separate questions"):
        old.question(0)


def test_questions_are_repeated_until_a_prompt_is_long_enough(world: Path, tmp_path: Path) -> None:
    world = Path(shutil.copytree(world, tmp_path / "world"))  # its language model is replaced
    tiny.save_model(world)
    predictor = open_predictor(world / "model", world / "features", batch=8, max_new_tokens=4)
    questions = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))[:6]
    encoder, lengthener = predictor.encoder, Lengthener(predictor.encoder)

    def length(text: str) -> int:
        return len(encoder.prompts([text])[0]) - 1  # without the image

    own = length(questions[0].prompt())
    assert lengthener.lengthen(questions[0], 1) == (questions[0], own)
    for Q in (own + 1, own + 5, own + 6, 3 * own):
        made, tokens = lengthener.lengthen(questions[0], Q)
        assert length(made.prompt()) == tokens
        assert Q <= tokens < Q + 5  # the question has five words
    found = measure(predictor, {"colours": questions}, BENCHMARKS.load("exact_match"), 20)
    assert found.text_tokens >= 20
    assert found.scores["colours"]["n"] == 6
    assert found.latency["median_s"] > 0
