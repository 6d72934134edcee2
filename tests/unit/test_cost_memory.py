"""The memory model, against the numbers of the ZeRO paper and against itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paretoken.cost import DecoderShape
from paretoken.cost_memory import (
    GIB,
    MemoryPlan,
    activation_bytes,
    inference_memory,
    logit_bytes,
    smallest_remedy,
    training_memory,
)

QWEN_7B = DecoderShape(4096, 32, 32, 32, 128, 11008, 151936, tied=False, query_key_value_bias=True)
PLAN = MemoryPlan(
    parameters=7.5e9, trained=7.5e9, shape=QWEN_7B, gpus=64, zero=2, micro_tokens=2048,
    micro_learned=500, checkpointing=True,
)  # fmt: skip


@pytest.mark.parametrize(("zero", "gigabytes"), [(2, 16.6), (3, 1.9)])
def test_model_states_are_those_of_the_zero_paper(zero: int, gigabytes: float) -> None:
    # Rajbhandari et al. (2020), figure 1: 7.5 billion parameters on 64 GPUs.
    memory = training_memory(replace(PLAN, zero=zero))
    states = memory.weights + memory.gradients + memory.optimizer
    assert states / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_what_is_frozen_has_neither_gradients_nor_optimizer() -> None:
    memory = training_memory(replace(PLAN, trained=36.7e6, gpus=4))
    assert memory.weights == 2 * 7.5e9
    assert memory.gradients + memory.optimizer == pytest.approx(14 * 36.7e6 / 4)


def test_checkpointing_keeps_one_input_per_layer_and_one_layer_in_full() -> None:
    kept = activation_bytes(QWEN_7B, 1000, checkpointing=True)
    full = activation_bytes(QWEN_7B, 1000, checkpointing=False)
    assert kept == pytest.approx(2 * 32 * 4096 * 1000 + full / 32)
    # Korthikanti et al. (2022): 34 bytes per width and token with an MLP of 4 widths and no scores,
    # dropout masks of 3 left out; a gated MLP of 2.7 widths is of the same order.
    assert 25 < full / (32 * 4096 * 1000) < 50


def test_logits_count_learned_tokens_only() -> None:
    assert logit_bytes(QWEN_7B, 100) == 10 * 151936 * 100
    more = training_memory(replace(PLAN, micro_learned=1000)).total
    assert more - training_memory(PLAN).total == pytest.approx(logit_bytes(QWEN_7B, 500))


def test_memory_falls_with_more_gpus_and_grows_with_tokens() -> None:
    totals = [training_memory(replace(PLAN, zero=3, gpus=gpus)).total for gpus in (2, 4, 8, 16)]
    assert totals == sorted(totals, reverse=True)
    assert training_memory(replace(PLAN, micro_tokens=4096)).total > training_memory(PLAN).total


def test_the_remedy_fits_and_nothing_smaller_does() -> None:
    tight = replace(PLAN, gpus=4, micro_tokens=32_768, micro_learned=22_000)
    changed, named = smallest_remedy(tight, 79.1)
    assert not training_memory(tight).fits(79.1)
    assert training_memory(changed).fits(79.1)
    assert named == "micro_batch / 2"
    assert smallest_remedy(replace(tight, micro_tokens=512, micro_learned=50), 79.1)[1] == ""


def test_remedies_name_zero_and_gpus() -> None:
    one = replace(PLAN, gpus=2, micro_tokens=512, micro_learned=50)
    changed, named = smallest_remedy(one, 47.5)
    assert (changed.zero, changed.gpus, named) == (3, 4, "4 GPUs, ZeRO-3")
    only_zero = replace(PLAN, gpus=4, micro_tokens=512, micro_learned=50)
    assert smallest_remedy(only_zero, 39.4)[1] == "ZeRO-3"
    assert smallest_remedy(one, 1.0)[1].startswith("none")


def test_answers_need_weights_and_cache() -> None:
    memory = inference_memory(7.7e9, QWEN_7B, batch=8, prompt=600, answer=10)
    cache = 2 * 2 * 32 * 4096 * 8 * 610  # keys and values, bf16
    assert memory.weights == 2 * 7.7e9
    assert memory.activations > cache
    assert memory.total / GIB < 24
