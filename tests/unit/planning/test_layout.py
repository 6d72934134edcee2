"""How a stage is laid out, and what it leaves on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llava_stand_in import RECIPES
from paretoken.cost import DecoderShape
from paretoken.cost_memory import training_memory
from paretoken.devices import BY_NAME
from paretoken.planning.layout import AUTO_BATCH, layout, training_disk
from paretoken.planning.shapes import CLIP_L_336
from paretoken.planning.training_sets import LLAVA
from paretoken.planning.work import Model, Work, training_work
from paretoken.train.recipe import Recipe, read_recipe

QWEN = DecoderShape(4096, 32, 32, 32, 128, 11008, 151936, tied=False, query_key_value_bias=True)
MODEL = Model(QWEN, QWEN.parameters()["total"], CLIP_L_336, "tokenpacker", 16, 4)
WORK = training_work(MODEL, LLAVA["finetune"], True, 256, 2048, None, 1)
H100 = BY_NAME["h100"]


def recipe(**changes: Any) -> Recipe:
    path: Path = RECIPES / "llava_finetune.yaml"
    plain = {"micro_batch": 16, "packing": False, "deepspeed": None}
    return read_recipe(path, "finetune").model_copy(update=plain | changes)


def test_a_stated_micro_batch_is_kept_at_the_longest_conversations() -> None:
    plan = layout(WORK, MODEL, recipe(), 8, 3, H100)
    assert plan.micro_tokens == 16 * 2048
    assert 0.6 < plan.micro_learned / plan.micro_tokens < 0.8, "the longest are mostly answers"
    assert plan.zero == 3


def test_an_open_micro_batch_is_the_largest_that_fits() -> None:
    plan = layout(WORK, MODEL, recipe(micro_batch="auto"), 4, 3, H100)
    assert plan.micro_tokens < AUTO_BATCH * 2048
    assert training_memory(plan).fits(H100.memory_gib)
    twice = layout(WORK, MODEL, recipe(micro_batch=round(plan.micro_tokens / 1024)), 4, 3, H100)
    assert not training_memory(twice).fits(H100.memory_gib)


def test_an_open_zero_stage_is_2_where_that_fits() -> None:
    assert layout(WORK, MODEL, recipe(micro_batch=1), 8, None, H100).zero == 2
    assert layout(WORK, MODEL, recipe(micro_batch=4), 8, None, BY_NAME["a100-40g"]).zero == 3
    assert layout(WORK, MODEL, recipe(micro_batch=1), 1, None, H100).zero == 0


def test_packed_rows_hold_conversations_of_mean_length() -> None:
    plan = layout(WORK, MODEL, recipe(packing=True), 8, 3, H100)
    assert plan.micro_tokens == pytest.approx(max(16 * WORK.tokens / WORK.conversations, 2048))


def test_disk_holds_kept_checkpoints_and_one_being_written() -> None:
    def disk(work: Work, **changes: Any) -> tuple[float, float]:
        return training_disk(work, MODEL, recipe(**changes))

    peak, kept = disk(WORK, keep_checkpoints=2)
    assert kept == 2 * WORK.parameters
    assert peak - kept == pytest.approx(3 * 12 * WORK.trained)
    assert disk(WORK, save_every=10**9)[0] - kept == pytest.approx(12 * WORK.trained)
