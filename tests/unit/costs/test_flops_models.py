"""Exact FLOPs and memory, by hand and against PyTorch's counter; the paper's cost as a special case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoken.costs.answer_work import adapter_work, decoder_work, encoder_work, flops_2nt
from paretoken.costs.models.base import Cost
from paretoken.costs.models.deployment import Deployment, read_shapes, write_shapes
from paretoken.costs.models.flops import FLOPS_2NT, FLOPS_EXACT
from paretoken.costs.models.memory import MEMORY
from paretoken.costs.models.paper import PAPER_COST
from paretoken.errors import UserError
from paretoken.registry import COST_MODELS

SIZES = np.array([1.0, 2.0, 4.0])


def exact(shapes, **settings):
    return Cost(FLOPS_EXACT, Deployment(shapes, **settings))


def test_every_registered_model_has_its_name():
    assert [COST_MODELS.load(name).name for name in COST_MODELS] == list(COST_MODELS)


def test_the_papers_cost_is_the_default_and_caching_text_takes_q_out():
    assert PAPER_COST(7.0, 36.0, 50.0) == flops_2nt(7.0, 36.0, 50.0)
    cached = Cost(FLOPS_2NT, Deployment(cached_text=True))
    assert cached(7.0, 36.0, 50.0) == flops_2nt(7.0, 36.0, 0.0)


def test_a_prompt_costs_llm_adapter_and_encoder(shapes):
    llm, encoder = shapes.llms[1].decoder, shapes.encoder
    adapter = adapter_work("average_pool", 4, 4, 32, 32, llm.hidden).forward
    prompt = decoder_work(llm, [54], logits=1).forward
    assert exact(shapes, encoder=False)(2.0, 4.0, 50.0) == pytest.approx(prompt + adapter, rel=1e-12)
    image = encoder_work(encoder).forward
    assert exact(shapes)(2.0, 4.0, 50.0) == pytest.approx(prompt + adapter + image, rel=1e-12)


def test_an_answer_is_one_pass_per_further_token(shapes):
    llm = shapes.llms[0].decoder
    cost = exact(shapes, encoder=False)
    longer = replace(cost, deployment=replace(cost.deployment, answer_tokens=3.0))
    one = decoder_work(llm, [1], logits=1)
    # The second and third token see 55 and 56 positions: themselves and all before.
    passes = 2 * one.weights + one.attention * (55 + 56)
    assert longer(1.0, 4.0, 50.0) - cost(1.0, 4.0, 50.0) == pytest.approx(passes, rel=1e-9)


def test_cached_text_costs_attention_only(shapes):
    llm = shapes.llms[0].decoder
    cached = exact(shapes, encoder=False, cached_text=True)
    adapter = adapter_work("average_pool", 4, 4, 32, 32, llm.hidden).forward
    work = decoder_work(llm, [4], logits=1)
    expected = work.weights + work.attention / 4**2 * 4 * 54 + adapter
    assert cached(1.0, 4.0, 50.0) == pytest.approx(expected, rel=1e-12)


def test_quecc_reads_the_question_once_more(shapes):
    llm = shapes.llms[0].decoder
    plain = exact(shapes, encoder=False)(1.0, 4.0, 50.0)
    reads = replace(shapes, adapter=replace(shapes.adapter, compressor="quecc"))
    extra = exact(reads, encoder=False)(1.0, 4.0, 50.0) - plain
    one, other = (
        adapter_work(name, 4, 4, 32, 32, llm.hidden).forward for name in ("quecc", "average_pool")
    )
    text = decoder_work(llm, [50], logits=0).forward
    assert extra == pytest.approx(text + one - other, rel=1e-6)


def test_between_sizes_it_is_smooth_and_outside_it_is_unknown(shapes):
    cost = exact(shapes)
    N = np.linspace(1.0, 4.0, 50)
    values = cost(N, np.full(50, 4.0), 50.0)
    assert (np.diff(values) > 0).all()
    assert np.isnan(cost(np.array([0.9, 4.1]), np.array([4.0, 4.0]), 50.0)).all()
    assert cost(SIZES[:, None], np.array([1.0, 16.0]), 0.0).shape == (3, 2)


def test_memory_is_weights_and_cache(shapes):
    llm = shapes.llms[2]
    few, many = (
        Cost(MEMORY, Deployment(shapes, batch=b, answer_tokens=6.0))(4.0, 4.0, 50.0) for b in (1, 9)
    )
    per_token = 2 * 2 * llm.decoder.layers * 2 * llm.decoder.head_width
    assert (many - few) * 2**30 == pytest.approx(8 * per_token * 60)
    weights = 2 * (llm.parameters + shapes.encoder.parameters())
    assert few * 2**30 > weights


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (FLOPS_EXACT, {}, "flops_exact needs the models' dimensions: give --shapes"),
        (FLOPS_2NT, {"answer_tokens": 5.0}, "flops_2nt does not depend on --answer-tokens"),
        (FLOPS_2NT, {"encoder": False}, "flops_2nt does not depend on --no-encoder"),
    ],
)
def test_missing_and_ignored_parts_of_a_model_are_reported(model, settings, message):
    with pytest.raises(UserError, match=message):
        Cost(model, Deployment(**settings))


def test_options_mean_the_same_cost(shapes):
    cost = exact(shapes, answer_tokens=32.0, encoder=False, cached_text=True)
    assert cost.options() == [
        "--cost", "flops_exact", "--answer-tokens", "32", "--no-encoder", "--cached-text",
    ]  # fmt: skip
    assert cost.words == ("all FLOPs, without the vision encoder, text cached, answers of 32 tokens")


def test_shapes_survive_their_file(shapes, tmp_path):
    write_shapes(tmp_path / "shapes.json", shapes)
    assert read_shapes(tmp_path / "shapes.json") == shapes


@pytest.mark.parametrize("content", ["{}", "[]", '{"llms": [{"name": 3}]}', "null", '"x"'])
def test_a_file_without_shapes_is_refused(tmp_path, content):
    path = tmp_path / "shapes.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"has no valid dimensions of models.*paretoken shapes"):
        read_shapes(path)
