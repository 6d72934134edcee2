"""Parameters and FLOPs by arithmetic, against the models and against PyTorch's counter."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM

import families
import tiny
from multihead import multihead
from paretoken.compressors.reach import reachable_tokens
from paretoken.compressors.region_attention_module import OneQueryAttention
from paretoken.compressors.specification import specification
from paretoken.costs.answer_work import (
    DecoderShape,
    EncoderShape,
    adapter_parameters,
    adapter_work,
    decoder_shape,
    decoder_work,
    encoder_shape,
    encoder_work,
)
from paretoken.errors import UserError
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import Choice, FeatureLayers, assemble, feature_layers
from paretoken.models.vision import encoded_side, load_encoder, read_vision_config
from paretoken.models.vlm import ParetokenModel
from paretoken.registry import COMPRESSORS
from paretoken.train.spending import adapter_work_of, parameter_counts

IMAGE, SIDE = 40, 6


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("parts")
    tiny.save_llm(folder / "qwen2")
    tiny.save_llm(folder / "llama", kind="llama", tied=False)
    tiny.save_vision(folder / "vision")
    return folder


def model_of(parts: Path, kind: str, compressor: str, tokens: int) -> ParetokenModel:
    choice = Choice(compressor, tokens, heads=4)
    layers = FeatureLayers(feature_layers([choice], 4))
    vision = read_vision_config(parts / "vision")
    model = assemble(parts / kind, vision, choice, layers, IMAGE, 0)
    model.set_attn_implementation("eager")  # the counter sees its two matrix products
    return model


def counted(run: Any) -> int:
    # The counter sees matrix products only: not the fused kernels of attention, and not the products of
    # a region's keys with its one query, which are computed element by element.
    with pytest.MonkeyPatch.context() as patch, sdpa_kernel(SDPBackend.MATH):
        patch.setattr(OneQueryAttention, "forward", multihead)
        with FlopCounterMode(display=False) as counter:
            run()
    return counter.get_total_flops()


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_parameters_of_a_language_model(parts: Path, kind: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(parts / kind)
    expected = decoder_shape(model.config.to_dict()).parameters()
    assert expected["total"] == sum(p.numel() for p in model.parameters())
    whole = model_of(parts, kind, "none", 0)
    counts = parameter_counts(whole)
    assert (counts["llm_total"], counts["llm_non_embedding"]) == tuple(expected.values())


def budgets(name: str) -> list[int]:
    """Return the fewest, the most and some V between that a compressor is trained with."""
    counts = reachable_tokens(name, SIDE)
    return [counts[-1]] if specification(name).elastic else [counts[0], counts[len(counts) // 2]]


#: Every registered compressor, at some V.
METHODS = [(name, V) for name in COMPRESSORS for V in dict.fromkeys(budgets(name))]


def features_for(model: ParetokenModel, images: int) -> torch.Tensor:
    """Return features (images, layers, patches, width) as the encoder would make them."""
    side = encoded_side(model.config.compressor, model.config.visual_tokens) or SIDE
    return torch.randn(images, len(model.config.feature_layers), side**2, 32)


@pytest.mark.parametrize(("compressor", "tokens"), METHODS)
def test_parameters_of_an_adapter(parts: Path, compressor: str, tokens: int) -> None:
    model = model_of(parts, "qwen2", compressor, tokens)
    config = model.config
    width, layers = config.vision_width, len(config.layers)
    counted = adapter_parameters(
        compressor, width, layers * width, config.text_config.hidden_size, None, tokens, 6
    )
    assert counted == parameter_counts(model)["adapter"]


def test_parameters_of_an_encoder(parts: Path) -> None:
    tower = load_encoder(parts / "vision", [3], False).tower
    shape = EncoderShape(width=32, layers=4, intermediate=48, side=6, patch=4)
    assert shape.parameters() == sum(p.numel() for p in tower.parameters())


def test_parameters_of_the_published_models() -> None:
    small = DecoderShape(1024, 24, 16, 16, 64, 2816, 151936, tied=True, query_key_value_bias=True)
    assert small.parameters() == {"total": 463_987_712, "non_embedding": 308_405_248}  # Qwen1.5-0.5B
    large = DecoderShape(4096, 32, 32, 32, 128, 11008, 151936, tied=False, query_key_value_bias=True)
    assert large.parameters()["total"] == 7_721_324_544  # Qwen1.5-7B


def test_published_flops_of_encoder_and_tokenpacker() -> None:
    clip = EncoderShape(width=1024, layers=24, intermediate=4096, side=24, patch=14)
    assert encoder_work(clip).forward == pytest.approx(0.38e12, rel=0.02)  # paper.md section 0
    packer = adapter_work("tokenpacker", 144, 24, 1024, 4096, hidden=0)  # without its output layers
    assert packer.forward == pytest.approx(15.3e9, rel=0.02)  # paper.md section 3.1


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_forward_flops_of_a_language_model(parts: Path, kind: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(parts / kind, attn_implementation="eager").eval()
    shape = decoder_shape(model.config.to_dict())
    ids = torch.ones(3, 17, dtype=torch.long)
    with torch.no_grad():
        assert counted(lambda: model(ids)) == decoder_work(shape, [17] * 3, 51).forward
        assert counted(lambda: model(ids, logits_to_keep=1)) == decoder_work(shape, [17] * 3, 3).forward


def test_forward_flops_of_the_encoder(parts: Path) -> None:
    encoder = load_encoder(parts / "vision", [3], False)
    encoder.tower.set_attn_implementation("eager")
    shape = EncoderShape(width=32, layers=4, intermediate=48, side=6, patch=4)
    pixels = torch.zeros(2, 3, 24, 24)
    assert counted(partial(encoder, pixels)) == 2 * encoder_work(shape).forward


def test_forward_flops_of_a_siglip_encoder(tmp_path: Path) -> None:
    families.save_siglip(tmp_path)
    encoder = load_encoder(tmp_path, [3], False)
    encoder.tower.set_attn_implementation("eager")
    shape = encoder_shape(encoder.tower.config.to_dict())
    assert not shape.pooling
    assert counted(partial(encoder, torch.zeros(2, 3, 24, 24))) == 2 * encoder_work(shape).forward


@pytest.mark.parametrize(("compressor", "tokens"), METHODS)
def test_forward_flops_of_compressor_and_projector(parts: Path, compressor: str, tokens: int) -> None:
    model = model_of(parts, "qwen2", compressor, tokens)
    features = features_for(model, 3)
    text = torch.zeros(3, model.config.text_config.hidden_size)
    with torch.no_grad():
        flops = counted(lambda: model.train().visual_tokens(features=features, text=text))
    assert flops == pytest.approx(3 * adapter_work_of(model).forward, rel=1e-9)


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize(("compressor", "tokens"), METHODS)
def test_training_flops_of_a_step(parts: Path, stage: str, compressor: str, tokens: int) -> None:
    model = model_of(parts, "qwen2", compressor, tokens).train()
    freeze_all_but(model, trainable_prefixes(stage))
    ids = torch.tensor([[5, *[IMAGE] * tokens, 6, 7, 3]] * 2)
    labels = torch.where(ids == 3, ids, -100)
    features = features_for(model, 2)
    text = torch.randn(2, model.config.text_config.hidden_size)

    def step() -> None:
        model(input_ids=ids, labels=labels, features=features, text=text).loss.backward()

    flops = counted(step)
    shape = decoder_shape(model.config.text_config.to_dict())
    llm = decoder_work(shape, [ids.shape[1]] * 2, logits=2).training(stage == "finetune")
    if compressor == "quecc":  # torch counts the gradient of a depthwise kernel as if it were dense
        flops -= 2 * 2 * 36 * 32 * (32 - 1)
    assert flops == pytest.approx(llm + 2 * adapter_work_of(model).training(True), rel=1e-9)


def test_a_config_without_dimensions_is_refused() -> None:
    with pytest.raises(UserError, match="num_attention_heads"):
        decoder_shape({"model_type": "qwen2", "hidden_size": 4})
