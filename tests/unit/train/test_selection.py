"""What a stage says of its data before the first step, and which conversations it leaves out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

import stages
from paretoken.data.collation import IGNORED, TrainingCollator
from paretoken.data.encoded import read_encoded
from paretoken.errors import UserError
from paretoken.models.assemble import Choice
from paretoken.train.selection import select
from paretoken.train.stage import run_stage
from paretoken.train.trainer import StageTrainer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

ASKED = "<image>\nwhat colour is it ?"
SHORT = stages.conversation("0.png", ASKED, "red")
#: The only answer lies beyond 96 tokens.
ENDLESS = stages.conversation("1.png", ASKED + " what colour is it ?" * 30, "red")
#: Its second answer lies beyond 96 tokens; its image is there.
HALF = stages.conversation("2.png", ASKED, "blue", "what is it ? " * 30, "it is blue")
#: Its image comes after 96 tokens; a long answer begins before.
LATE = stages.conversation("3.png", "what is it ?", "it is red " * 40, ASKED, "red")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every batch that a model is trained with."""
    seen: list[dict[str, Any]] = []
    step = StageTrainer.training_step

    def watched(self: StageTrainer, model: Any, batch: dict[str, Any], *args: Any) -> torch.Tensor:
        seen.append(dict(batch))
        return step(self, model, batch, *args)

    monkeypatch.setattr(StageTrainer, "training_step", watched)
    return seen


def test_truncation_is_reported_first_and_learned_tokens_are_those_with_a_loss(
    tiny_world: Path, tmp_path: Path, batches: list[dict[str, Any]]
) -> None:
    data = stages.tokenized(tiny_world, tmp_path, [SHORT, HALF, LATE] * 3)
    said: list[str] = []
    inputs = stages.inputs(tiny_world, tmp_path / "out", data=data)
    record = run_stage(inputs, stages.recipe(tiny_world, steps=3), said.append)
    assert said == [
        "max_length = 96: of 9 conversations, answers are cut in 6 and lost in 0; images are lost in 3"
    ]
    assert record["cut_by_max_length"] == {"part": 6, "all": 0, "image": 3}
    assert record["left_out"] == []
    assert record["learned_tokens"] == sum((b["labels"] != IGNORED).sum() for b in batches)
    assert record["images"] == sum(len(b["image_index"]) for b in batches)
    assert all(b["input_ids"].shape[1] <= 96 for b in batches)


def test_every_showing_of_an_elastic_model_counts(
    tiny_world: Path, tmp_path: Path, batches: list[dict[str, Any]]
) -> None:
    data = stages.tokenized(tiny_world, tmp_path, [SHORT, HALF, LATE] * 3)
    choice = Choice("matryoshka_pooling", 36)
    one = stages.inputs(tiny_world, tmp_path / "1", data=data, choice=choice)
    run_stage(one, stages.recipe(tiny_world, steps=1))
    batches.clear()
    two = stages.inputs(
        tiny_world, tmp_path / "2", data=data, choice=choice, adapter=tmp_path / "1" / "adapter"
    )
    record = run_stage(two, stages.recipe(tiny_world, "finetune", steps=2, packing=True))
    assert record["learned_tokens"] == sum((b["labels"] != IGNORED).sum() for b in batches)
    assert record["learned_tokens"] > 2 * 8 * 2  # more than one showing of a shortest answer


def test_conversations_without_anything_to_learn_are_bad_rows(
    tiny_world: Path, tmp_path: Path, batches: list[dict[str, Any]]
) -> None:
    rows = [SHORT, ENDLESS, HALF, SHORT, ENDLESS, LATE, SHORT, SHORT, SHORT, SHORT]
    data = stages.tokenized(tiny_world, tmp_path, rows)
    recipe = stages.recipe(tiny_world, steps="null", epochs=2)
    strict = stages.inputs(tiny_world, tmp_path / "out", data=data, max_bad_share=0.1)
    with pytest.raises(UserError, match=r"2 of 10 conversations are bad, 10.0000% may be") as error:
        run_stage(strict, recipe)
    reason = "all answers lie beyond max_length = 96"
    assert f"  - conversation 2 with image '1.png': {reason}\n" in str(error.value)
    assert not (tmp_path / "out").exists()

    record = run_stage(dataclasses.replace(strict, max_bad_share=0.2), recipe)
    assert record["steps"] == 2  # twice the 8 others, 8 a step
    assert [row["row"] for row in record["left_out"]] == [
        "conversation 2 with image '1.png'",
        "conversation 5 with image '1.png'",
    ]
    assert record["cut_by_max_length"]["all"] == 2
    assert all((b["labels"] != IGNORED).any(1).all() for b in batches)
    assert sum(len(b["labels"]) for b in batches) == 16


def test_no_share_allows_that_nothing_is_learned(tiny_world: Path, tmp_path: Path) -> None:
    data = stages.tokenized(tiny_world, tmp_path, [ENDLESS] * 3)
    inputs = stages.inputs(tiny_world, tmp_path / "out", data=data, max_bad_share=1.0)
    with pytest.raises(UserError, match=r"none of its 3 .* learn .all answers lie beyond"):
        run_stage(inputs, stages.recipe(tiny_world))


def test_the_order_is_that_of_all_conversations_if_none_is_left_out(tiny_world: Path) -> None:
    data = read_encoded(tiny_world / "tokens")
    collator = TrainingCollator(data, None, 0, 0, 96)
    chosen = select(collator, tiny_world / "tokens", 0.0, print).numbers
    assert chosen.tolist() == list(range(len(data)))


TEXT_ONLY = [stages.conversation(None, "what is it ?", "it is red")] * 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (TEXT_ONLY, "none of its 2 conversations names an image.*under the key `image`"),
        ([LATE] * 3, "in all of its 3 conversations the image lies beyond max_length = 96"),
    ],
)
def test_a_stage_that_would_see_no_image_is_refused(
    tiny_world: Path, tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    data = stages.tokenized(tiny_world, tmp_path, rows)
    with pytest.raises(UserError, match=message):
        run_stage(
            stages.inputs(tiny_world, tmp_path / "out", data=data, max_bad_share=1.0),
            stages.recipe(tiny_world),
        )
    blind = stages.inputs(tiny_world, tmp_path / "0", data=data, choice=Choice("average_pool", 0))
    record = run_stage(blind, stages.recipe(tiny_world, "finetune", steps=1))
    assert record["images"] == 0
    assert record["learned_tokens"] > 0
