"""The memory model, against the numbers of the ZeRO paper and against itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paretoken.costs.answer_work import DecoderShape
from paretoken.costs.gpu_memory import (
    BUCKET,
    CONTEXT,
    GIB,
    USABLE,
    Memory,
    MicroBatch,
    Split,
    Trainee,
    activation_cost,
    inference_memory,
    states,
    training_memory,
)
from paretoken.costs.shapes import EncoderShape

QWEN_7B = DecoderShape(4096, 32, 32, 32, 128, 11008, 151936, tied=False, query_key_value_bias=True)
CLIP = EncoderShape(width=1024, layers=24, intermediate=4096, side=24, patch=14)
ALL = Trainee(7.5e9, 0, QWEN_7B, CLIP, bf16=True, checkpointing=True, masked=False)
MICRO = MicroBatch(conversations=4, rows=1, length=2048, learned=500, images=3)


@pytest.mark.parametrize(("zero", "gigabytes"), [(1, 31.4), (2, 16.6), (3, 1.88)])
def test_model_states_are_those_of_the_zero_paper(zero: int, gigabytes: float) -> None:
    # Rajbhandari et al. (2020), figure 1: 7.5 billion parameters on 64 GPUs.
    memory = states(ALL, Split(64, zero))
    found = memory.weights + memory.gradients + memory.optimizer
    assert found / 1e9 == pytest.approx(gigabytes, rel=0.01)


def test_what_is_frozen_has_neither_gradients_nor_optimizer() -> None:
    adapter = replace(ALL, trained=36.7e6, frozen=7.5e9)
    memory = states(adapter, Split(4, 2))
    assert memory.weights == pytest.approx(2 * (7.5e9 + 36.7e6))
    assert memory.gradients + memory.optimizer == pytest.approx(14 * 36.7e6 / 4)
    assert states(adapter, Split(4, 3)).weights == pytest.approx(memory.weights / 4)


def test_without_deepspeed_trained_weights_are_fp32() -> None:
    fp32 = replace(ALL, trained=1e9, frozen=1e9, bf16=False)
    assert states(fp32, Split(1, 0)).total == 16e9 + 4e9
    # bf16: autocast's copies of what is trained; what is frozen is bf16 in the first place.
    assert states(replace(fp32, bf16=True), Split(1, 0)).total == 18e9 + 2e9


def test_buckets_are_no_larger_than_what_fills_them() -> None:
    assert states(ALL, Split(8, 2)).buffers == 4 * BUCKET
    assert states(replace(ALL, trained=100), Split(8, 2)).buffers == 400
    assert states(ALL, Split(1, 3)).buffers == 0


def test_checkpointing_keeps_one_input_per_layer_and_one_layer_in_full() -> None:
    kept = activation_cost(ALL).per_token
    full = activation_cost(replace(ALL, checkpointing=False)).per_token
    layer = (full - kept + 32 * 2 * 4096) / 32
    # Korthikanti et al. (2022): 34 bytes per width and token with an MLP of 4 widths and no scores,
    # dropout masks of 3 left out; a gated MLP of 2.7 widths is of the same order.
    assert 25 < layer / 4096 < 50
    assert kept == pytest.approx(2 * 32 * 4096 + 2 * layer + 4 * 2 * 4096)


def test_masks_images_and_logits_come_on_top() -> None:
    cost, masked = activation_cost(ALL), activation_cost(replace(ALL, masked=True))
    assert masked.of(MICRO) - cost.of(MICRO) == pytest.approx(3 * 2048**2)
    assert cost.logits(MICRO) == 14 * 151936 * 500
    without = activation_cost(replace(ALL, encoder=None))
    assert cost.of(MICRO) - without.of(MICRO) == pytest.approx(3 * cost.per_image)
    assert cost.of(MICRO.divided(4)) == pytest.approx(cost.of(MICRO) / 4)


def test_memory_falls_with_more_gpus_and_grows_with_tokens() -> None:
    totals = [training_memory(ALL, Split(gpus, 3), MICRO).total for gpus in (2, 4, 8, 16)]
    assert totals == sorted(totals, reverse=True)
    longer = replace(MICRO, length=4096)
    at_four = Split(4, 3)
    assert training_memory(ALL, at_four, longer).total > training_memory(ALL, at_four, MICRO).total


def test_what_fits_leaves_room_for_the_process_and_for_fragments() -> None:
    most = USABLE * (80 * GIB - CONTEXT)
    memory = Memory(most, 0, 0, 0)
    assert memory.fits(80)
    assert not replace(memory, logits=1.0).fits(79.9999)
    assert memory.on_device == most + CONTEXT


def test_answers_need_weights_and_cache() -> None:
    memory = inference_memory(7.7e9, QWEN_7B, batch=8, prompt=600, answer=10)
    cache = 2 * 2 * 32 * 4096 * 8 * 610  # keys and values, bf16
    assert memory.weights == 2 * 7.7e9
    assert memory.activations > cache
    assert memory.on_device / GIB < 24
