"""What `paretoken plan` reckons is what `paretoken train` goes by: one memory model, fed from two sides.

The plan knows shapes and mean lengths, training knows the model and every conversation.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from paretoken.config.devices import BY_NAME
from paretoken.costs.activation_memory import MicroBatch, Trainee
from paretoken.costs.gpu_memory import CONTEXT, GIB, USABLE, Split
from paretoken.costs.shapes import decoder_shape, encoder_shape
from paretoken.data.collation import TrainingCollator
from paretoken.data.conversations import Conversation
from paretoken.data.encoded import read_encoded
from paretoken.data.encoded_writer import write_encoded
from paretoken.data.labels import ChatEncoder
from paretoken.data.order import data_order
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError
from paretoken.io.files import read_json
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import Choice
from paretoken.models.vision import read_vision_config
from paretoken.models.vlm import ParetokenModel
from paretoken.plan import layout as planned
from paretoken.plan.stage_work import Model, Work, training_work
from paretoken.plan.training_sets import tokenized_set
from paretoken.train import batching as chosen
from paretoken.train.attention import packing_of
from paretoken.train.inputs import StageInputs, build_model, open_visual
from paretoken.train.recipe import Recipe, read_recipe

COUNT, GLOBAL = 64, 32
CHOICE = Choice("average_pool", 4)
GPU = BY_NAME["h100"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world whose conversations are all of the same length, so that means are exact."""
    torch.set_num_threads(1)
    folder = tiny.save_world(tmp_path_factory.mktemp("world"))
    chat = ChatEncoder(load_tokenizer(folder / "llm"))
    same = [
        Conversation(str(i), f"{i % 24}.png", ("<image>\nwhat is it ?", "red")) for i in range(COUNT)
    ]
    write_encoded(folder / "tokens", same, chat.encode(same), chat.image_id, {"template": "chat"})
    return folder


class Sides:
    """A stage as training and as the plan see it."""

    def __init__(self, world: Path, stage: str, **changes: Any) -> None:
        more = {"micro_batch": "auto", "global_batch": GLOBAL, **changes}
        options = [(key, str(value)) for key, value in more.items()]
        self.recipe: Recipe = read_recipe(world / f"{stage}.yaml", stage, options)
        self.data, vision = read_encoded(world / "tokens"), read_vision_config(world / "vision")
        inputs = StageInputs(
            world / "llm", world / "vision", world / "tokens", world / "out", CHOICE, 0,
            images=world / "images",
        )  # fmt: skip
        visual, layers = open_visual(inputs, vision, "")
        recipe = self.recipe.model_copy(update={"stage": "pretrain"})  # stage 2 would want an adapter
        self.model: ParetokenModel = build_model(inputs, recipe, vision, self.data, visual, layers)
        freeze_all_but(self.model, trainable_prefixes(stage))
        self.collator = TrainingCollator(
            self.data, visual, CHOICE.tokens, 0, self.recipe.max_length, packing_of(self.recipe)
        )
        llm = decoder_shape(read_json(world / "llm" / "config.json"))
        self.shape = Model(
            llm,
            llm.parameters()["total"],
            encoder_shape(vision.to_dict()),
            CHOICE.compressor,
            CHOICE.tokens,
            len(layers.layers),
        )

    @property
    def work(self) -> Work:
        """What the plan knows of the conversations."""
        found = tokenized_set(Path(self.data.ids.filename).parent)  # type: ignore[attr-defined]
        assert found is not None
        r = self.recipe
        return training_work(
            self.shape, found, r.stage == "finetune", r.global_batch, r.max_length, r.steps, r.epochs
        )

    def trained(self, gib: float, split: Split) -> int:
        """Return the micro batch that training chooses with so much memory free."""
        recipe = self.recipe.model_copy(update={"memory_gib": gib})
        lengths = self.collator.lengths
        order = data_order(lengths, 4, GLOBAL, 0, recipe.by_length)
        return chosen.choose_plan(
            recipe, self.model, self.collator, order, split.devices, split.zero, Path("nowhere")
        ).micro_batch

    def planned(self, gib: float, split: Split) -> planned.Layout:
        """Return the layout that the plan chooses on a GPU with so much memory free."""
        device = replace(GPU, memory_gib=gib + CONTEXT / GIB)
        return planned.layout(self.work, self.shape, self.recipe, split.devices, split.zero, device)


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("changes", [{}, {"packing": True}, {"gradient_checkpointing": True}])
def test_both_see_the_same_trainee(world: Path, stage: str, changes: dict[str, Any]) -> None:
    sides = Sides(world, stage, **changes)
    seen: Trainee = chosen.trainee_of(sides.recipe, sides.model, sides.collator)
    assert planned.trainee_of(sides.work, sides.shape, sides.recipe) == seen


@pytest.mark.parametrize("packing", [False, True])
def test_both_see_the_same_micro_batch(world: Path, packing: bool) -> None:
    sides = Sides(world, "pretrain", packing=packing, micro_batch=8)
    seen = chosen.micro_batch(list(range(8)), sides.collator)
    expected: MicroBatch = sides.planned(80, Split(1, 0)).micro
    assert np.isclose(tuple(vars(seen).values()), tuple(vars(expected).values())).all()


@pytest.mark.parametrize("split", [Split(1, 0), Split(2, 2), Split(2, 3)])
@pytest.mark.parametrize("packing", [False, True])
def test_both_choose_the_same_micro_batch(world: Path, split: Split, packing: bool) -> None:
    sides = Sides(world, "pretrain", packing=packing)
    sizes = set()
    for conversations in (1, 2, 4, 8, 16):
        exact = replace(sides.planned(80, split), micro=_micro(sides, conversations))
        enough = exact.memory.total / GIB / USABLE * (1 + 1e-9)
        found = sides.planned(enough, split)
        assert found.memory.fits(enough + CONTEXT / GIB)
        assert sides.trained(enough, split) == found.micro.conversations == conversations
        sizes.add(conversations)
    assert len(sizes) == 5


def _micro(sides: Sides, conversations: int) -> MicroBatch:
    return chosen.micro_batch(list(range(conversations)), sides.collator)


def test_what_does_not_fit_the_plan_is_refused_by_training(world: Path) -> None:
    sides = Sides(world, "pretrain")
    one = replace(sides.planned(80, Split(1, 0)), micro=_micro(sides, 1))
    short = 0.99 * one.memory.total / GIB / USABLE
    assert not sides.planned(short, Split(1, 0)).memory.fits(short + CONTEXT / GIB)
    with pytest.raises(UserError, match=r"a conversation of \d+ tokens needs"):
        sides.trained(short, Split(1, 0))
