"""How a stage is laid out, and what it leaves on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llava_stand_in import RECIPES
from paretoken.config.devices import BY_NAME
from paretoken.costs.activation_memory import MicroBatch, Trainee
from paretoken.costs.answer_work import DecoderShape
from paretoken.costs.gpu_memory import Split
from paretoken.plan.expected_shapes import CLIP_L_336
from paretoken.plan.layout import Layout, layout, smallest_remedy, training_disk
from paretoken.plan.stage_work import Model, Work, training_work
from paretoken.plan.training_sets import LLAVA
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
    way = layout(WORK, MODEL, recipe(), 8, 3, H100)
    assert (way.micro.rows, way.micro.length, way.split) == (16, 2048, Split(8, 3))
    assert 0.6 < way.micro.learned / (16 * 2048) < 0.8, "the longest are mostly answers"
    assert 0.9 < way.micro.images / 16 < 1, "some conversations have no image"


def test_an_open_micro_batch_is_the_largest_that_fits() -> None:
    way = layout(WORK, MODEL, recipe(micro_batch="auto"), 4, 3, H100)
    assert 1 < way.micro.conversations < 64
    assert way.memory.fits(H100.memory_gib)
    twice = layout(WORK, MODEL, recipe(micro_batch=2 * round(way.micro.conversations)), 4, 3, H100)
    assert not twice.memory.fits(H100.memory_gib)


def test_an_open_zero_stage_is_2_where_that_fits() -> None:
    assert layout(WORK, MODEL, recipe(micro_batch=1), 8, None, H100).split.zero == 2
    assert layout(WORK, MODEL, recipe(micro_batch=4), 8, None, BY_NAME["a100-40g"]).split.zero == 3
    assert layout(WORK, MODEL, recipe(micro_batch=1), 1, None, H100).split.zero == 0


def test_packed_rows_hold_conversations_of_mean_length_and_need_a_mask() -> None:
    way = layout(WORK, MODEL, recipe(packing=True), 8, 3, H100)
    tokens = way.micro.rows * way.micro.length
    assert tokens == pytest.approx(max(16 * WORK.tokens / WORK.conversations, 2048))
    assert way.trainee.masked
    flash = recipe(packing=True, attention="flash_attention_2")
    assert not layout(WORK, MODEL, flash, 8, 3, H100).trainee.masked


def way(gpus: int, zero: int, rows: int) -> Layout:
    trainee = Trainee(7.5e9, 0, QWEN, True, None, bf16=True, checkpointing=True, masked=False)
    return Layout(trainee, Split(gpus, zero), MicroBatch(rows, rows, 2048, 700 * rows, 0))


def test_the_remedy_fits_and_nothing_smaller_does() -> None:
    tight = way(4, 2, 32)
    changed, named = smallest_remedy(tight, 79.1)
    assert not tight.memory.fits(79.1)
    assert changed.memory.fits(79.1)
    parts = round(32 / changed.micro.rows)
    assert named == f"micro_batch / {parts}"
    assert not Layout(tight.trainee, tight.split, tight.micro.divided(parts / 2)).memory.fits(79.1)
    assert smallest_remedy(way(4, 2, 1), 79.1)[1] == ""


def test_remedies_name_zero_and_gpus() -> None:
    changed, named = smallest_remedy(way(2, 2, 1), 47.5)
    assert (changed.split, named) == (Split(4, 3), "4 GPUs, ZeRO-3")
    assert smallest_remedy(way(4, 2, 1), 44.3)[1] == "ZeRO-3"
    assert smallest_remedy(way(2, 2, 1), 1.0)[1].startswith("none")


def test_a_micro_batch_is_not_cut_below_one_conversation() -> None:
    assert "micro_batch / 2" in smallest_remedy(way(4, 3, 4), 45)[1]
    assert "micro_batch" not in smallest_remedy(way(4, 3, 1), 36)[1]


def test_disk_holds_kept_checkpoints_and_one_being_written() -> None:
    def disk(work: Work, **changes: Any) -> tuple[float, float]:
        return training_disk(work, MODEL, recipe(**changes))

    peak, kept = disk(WORK, keep_checkpoints=2)
    assert kept == 2 * WORK.parameters
    assert peak - kept == pytest.approx(3 * 12 * WORK.trained)
    assert disk(WORK, save_every=10**9)[0] - kept == pytest.approx(12 * WORK.trained)


#: Published config.json of Qwen2.5-32B and -72B; published parameters: 32.5 (rounded) and 72.7 billion.
QWEN_32B = DecoderShape(5120, 64, 40, 8, 128, 27648, 152064, tied=False, query_key_value_bias=True)
QWEN_72B = DecoderShape(8192, 80, 64, 8, 128, 29568, 152064, tied=False, query_key_value_bias=True)


@pytest.mark.parametrize(
    ("llm", "billions", "gpus"), [(QWEN_32B, 32.8, 16), (QWEN_72B, 72.7, 32)], ids=["32B", "72B"]
)
def test_large_models_fit_where_their_parts_do(llm: DecoderShape, billions: float, gpus: int) -> None:
    model = Model(llm, llm.parameters()["total"], CLIP_L_336, "tokenpacker", 16, 4)
    work = training_work(model, LLAVA["finetune"], True, 256, 2048, None, 1)
    assert work.trained == pytest.approx(1e9 * billions, rel=0.01)

    def planned(devices: int) -> Layout:
        return layout(work, model, recipe(micro_batch="auto"), devices, 3, H100)

    # 18 bytes per parameter: bf16, its gradients' sum in fp32, fp32 weights and two moments.
    assert planned(gpus).memory.weights == 2 * work.parameters / gpus
    assert planned(gpus).memory.kept > 18 * work.trained / gpus
    assert planned(gpus).memory.fits(H100.memory_gib)
    few = planned(gpus // 4)
    assert not few.memory.fits(H100.memory_gib)
    found, remedy = smallest_remedy(few, H100.memory_gib)
    assert "GPUs" in remedy
    assert found.split.devices > gpus // 4
