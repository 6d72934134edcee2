"""The memory model, against the numbers of the ZeRO paper and against itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paretoken.compressors.specification import Sizes
from paretoken.costs.activation_memory import MicroBatch, Trainee, VisionPart, activation_cost
from paretoken.costs.gpu_memory import (
    CONTEXT,
    GIB,
    SUB_GROUP,
    USABLE,
    Memory,
    Split,
    inference_memory,
    states,
    training_memory,
)
from paretoken.costs.shapes import DecoderShape, EncoderShape

QWEN_7B = DecoderShape(4096, 32, 32, 32, 128, 11008, 151936, tied=False, query_key_value_bias=True)
CLIP = EncoderShape(width=1024, layers=24, intermediate=4096, side=24, patch=14)
SIZES = Sizes(tokens=16, side=24, width=1024, joined=4096, text=4096)
ALL = Trainee(
    trained=7.5e9,
    frozen=0,
    llm=QWEN_7B,
    llm_learns=True,
    vision=VisionPart("tokenpacker", SIZES, 4096, CLIP),
    bf16=True,
    checkpointing=True,
    masked=False,
)
MICRO = MicroBatch(conversations=4, rows=1, length=2048, learned=500, images=3)


@pytest.mark.parametrize(("zero", "bytes_each"), [(1, 31.4), (2, 16.6), (3, 1.88)])
def test_model_states_are_those_of_the_zero_paper_with_sums_in_fp32(
    zero: int, bytes_each: float
) -> None:
    # Rajbhandari et al. (2020), figure 1: 7.5 billion parameters on 64 GPUs, with gradients of 2 bytes.
    memory, part = states(ALL, Split(64, zero)), 1 if zero == 1 else 1 / 64
    more = {1: 4, 2: 4, 3: 2}[zero] * 7.5 * part
    found = memory.weights + memory.gradients + memory.optimizer
    assert found / 1e9 == pytest.approx(bytes_each + more, rel=0.01)


def test_what_is_frozen_has_neither_gradients_nor_optimizer() -> None:
    adapter = replace(ALL, trained=36.7e6, frozen=7.5e9, llm_learns=False)
    memory = states(adapter, Split(4, 2))
    assert memory.weights == pytest.approx(2 * (7.5e9 + 36.7e6))
    assert memory.gradients + memory.optimizer == pytest.approx(18 * 36.7e6 / 4)
    assert states(adapter, Split(4, 3)).weights == pytest.approx(memory.weights / 4)
    assert memory.buffers == 4 * QWEN_7B.hidden**2, "no gradient of the embedding"


def test_without_deepspeed_trained_weights_and_the_encoder_are_fp32() -> None:
    fp32 = replace(ALL, trained=1e9, frozen=1e9, bf16=False, llm_learns=False)
    assert states(fp32, Split(1, 0)).total == 16e9 + 4e9
    # bf16: autocast's copies of what is trained; what is frozen is bf16 in the first place.
    blind = replace(fp32, bf16=True, vision=None)
    assert states(blind, Split(1, 0)).total == 18e9 + 2e9
    seeing = states(replace(fp32, bf16=True), Split(1, 0)).total
    assert seeing - states(blind, Split(1, 0)).total == 2 * CLIP.parameters()


def test_the_step_needs_memory_of_its_own_only_beyond_the_activations() -> None:
    few, many = states(ALL, Split(8, 3)), states(ALL, Split(4, 3))
    assert few.step == 4 * 7.5e9 / 8
    assert many.step == 4 * SUB_GROUP
    small = training_memory(ALL, Split(4, 3), MICRO.divided(4))
    assert small.total == small.kept + small.step
    large = training_memory(ALL, Split(4, 3), replace(MICRO, rows=16, learned=8000))
    assert large.total == large.kept + large.activations


def test_checkpointing_keeps_one_input_per_layer_and_one_layer_in_full() -> None:
    kept = activation_cost(ALL, 3).loss.per_token
    full = activation_cost(replace(ALL, checkpointing=False), 3).loss.per_token
    layer = (full - kept + 32 * 2 * 4096) / 32
    # Korthikanti et al. (2022): 34 bytes per width and token with an MLP of 4 widths and no scores,
    # dropout masks of 3 left out; a gated MLP of 2.7 widths keeps 4 of them instead of 2.
    assert 25 < layer / 4096 < 50
    assert kept == pytest.approx(2 * 32 * 4096 + (4 + 2) * 4096)


def test_masks_images_and_logits_come_on_top() -> None:
    def cost(**changes: object) -> float:
        return activation_cost(replace(ALL, **changes), 3).loss.of(MICRO)

    assert cost(masked=True) - cost() == pytest.approx(2048**2)
    assert activation_cost(ALL, 3).loss.per_learned == 12 * 151936
    kept = activation_cost(ALL, 3).adapter
    pixels = 2 * 3 * 336**2
    assert cost() - cost(vision=None) == pytest.approx(3 * (kept + pixels))
    assert activation_cost(ALL, 3).of(MICRO.divided(4)) == pytest.approx(
        activation_cost(ALL, 3).of(MICRO) / 4
    )


def test_the_peak_is_at_the_loss_in_the_encoder_or_in_a_layer() -> None:
    cost = activation_cost(ALL, 3)
    answers = replace(MICRO, learned=2000)
    pictures = MicroBatch(64, 1, 64, 10, 64)
    prompts = replace(MICRO, learned=10)
    for micro, moment in ((answers, cost.loss), (pictures, cost.encoding), (prompts, cost.backward)):
        assert cost.of(micro) == moment.of(micro)
        assert (
            sum(each.of(micro) == cost.of(micro) for each in (cost.loss, cost.encoding, cost.backward))
            == 1
        )


def test_memory_falls_with_more_gpus_and_grows_with_tokens() -> None:
    totals = [training_memory(ALL, Split(gpus, 3), MICRO).total for gpus in (2, 4, 8, 16)]
    assert totals == sorted(totals, reverse=True)
    short = replace(MICRO, rows=8)
    totals = [
        training_memory(ALL, Split(4, 3), micro).total for micro in (short, replace(short, length=4096))
    ]
    assert totals[0] < totals[1]


def test_what_fits_leaves_room_for_the_process_and_for_fragments() -> None:
    most = USABLE * (80 * GIB - CONTEXT)
    memory = Memory(most, 0, 0, 0)
    assert memory.fits(80)
    assert not replace(memory, activations=1.0).fits(79.9999)
    assert memory.on_device == most + CONTEXT


def test_answers_need_weights_and_cache() -> None:
    memory = inference_memory(7.7e9, QWEN_7B, batch=8, prompt=600, answer=10)
    cache = 2 * 2 * 32 * 4096 * 8 * 610  # keys and values, bf16
    assert memory.weights == 2 * 7.7e9
    assert memory.activations > cache
    assert memory.on_device / GIB < 24
