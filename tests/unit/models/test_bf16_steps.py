"""A training step in bf16 with gradient checkpointing, in both stages, with every compressor.

Two forms of training in bf16 exist. Without DeepSpeed, trained weights are fp32 and products run in
autocast. DeepSpeed converts all weights, but not all buffers, to bf16.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from paretoken.compressors.reach import reachable_tokens
from paretoken.compressors.specification import specification
from paretoken.data.collation import IGNORED
from paretoken.evaluate.open import load_model
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import (
    Choice,
    FeatureLayers,
    assemble,
    feature_layers,
    load_adapter,
    save_adapter,
)
from paretoken.models.vision import encoded_side, read_vision_config
from paretoken.models.vlm import ParetokenModel
from paretoken.registry import COMPRESSORS

Form = Literal["autocast", "deepspeed"]

IMAGE, SIDE, DEPTH, WIDTH, ANSWER = 40, 6, 4, 32, 3
STAGES, FORMS = ("pretrain", "finetune"), ("autocast", "deepspeed")
BOTH = pytest.mark.parametrize(("stage", "form"), [(stage, form) for stage in STAGES for form in FORMS])
EVERY = pytest.mark.parametrize("name", list(COMPRESSORS))
LOW, FULL = torch.bfloat16, torch.float32


def trained_with(name: str) -> int:
    """Return a number of tokens with which a compressor is trained; small, but of several patches."""
    counts = reachable_tokens(name, SIDE)
    return counts[-1] if specification(name).elastic or 4 not in counts else 4


def lower(model: nn.Module) -> None:
    """Convert the parameters of a model, but not its buffers, to bf16."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(LOW)


def model_of(parts: Path, name: str, stage: str, form: str, seed: int = 0) -> ParetokenModel:
    """Return a model as the stage begins with it."""
    choice = Choice(name, trained_with(name))
    layers = FeatureLayers(feature_layers([choice], DEPTH))
    dtype = LOW if stage == "pretrain" or form == "deepspeed" else FULL
    vision = read_vision_config(parts / "vision")
    model = assemble(parts / "llama", vision, choice, layers, IMAGE, seed, dtype)
    freeze_all_but(model, trainable_prefixes(stage))
    if form == "deepspeed":
        lower(model)
    model.train()
    model.activation_checkpointing_enable()
    return model


def batch_of(model: ParetokenModel) -> dict[str, Tensor]:
    """Return a batch of two conversations, of different numbers of tokens if the model is elastic."""
    config, facts = model.config, specification(model.config.compressor)
    V, side = config.visual_tokens, encoded_side(config.compressor, config.visual_tokens) or SIDE
    rng = torch.Generator().manual_seed(5)
    features = torch.randn(2, len(config.feature_layers), side**2, WIDTH, generator=rng)
    counts = [V, 4] if facts.elastic else [V, V]
    rows = [[5, *[IMAGE] * count, 6, 7, ANSWER, *[0] * (V - count)] for count in counts]
    ids = torch.tensor(rows)
    batch = {"features": features.half(), "input_ids": ids}
    batch["labels"] = torch.where(ids == ANSWER, ids, IGNORED)
    if facts.elastic:
        batch["token_counts"] = torch.tensor(counts)
    if facts.reads_text:
        batch["question_ids"] = torch.tensor([[6, 7], [7, 8]])
    return batch


def forward(model: ParetokenModel, form: str) -> Tensor:
    """Return the loss of a batch."""
    with torch.autocast("cpu", LOW, enabled=form == "autocast"):
        loss = model(**batch_of(model)).loss
    assert isinstance(loss, Tensor)
    return loss


def watched(model: nn.Module) -> tuple[dict[str, set[torch.dtype]], Counter[str]]:
    """Return the types of the numbers that each module will return, and how often it will run."""
    types: dict[str, set[torch.dtype]] = {}
    runs: Counter[str] = Counter()

    def note(name: str) -> Any:
        def see(_: nn.Module, __: Any, output: Any) -> None:
            runs[name] += 1
            if isinstance(output, Tensor):
                types.setdefault(name, set()).add(output.dtype)

        return see

    for name, module in model.named_modules():
        module.register_forward_hook(note(name))
    return types, runs


@EVERY
@BOTH
def test_a_step_stays_in_bf16_and_teaches_exactly_what_learns(
    parts: Path, name: str, stage: str, form: str
) -> None:
    model = model_of(parts, name, stage, form)
    kept = {n: p.dtype for n, p in model.named_parameters()}
    types, runs = watched(model)
    loss = forward(model, form)
    loss.backward()
    assert loss.dtype == FULL
    assert torch.isfinite(loss)

    learning = {n for n, p in model.named_parameters() if p.requires_grad}
    assert learning == {n for n in kept if n.startswith(trainable_prefixes(stage))}
    assert any(n.startswith("compressor.") for n in learning) == specification(name).learns
    for parameter, tensor in model.named_parameters():
        if parameter not in learning:
            assert tensor.grad is None, parameter
            continue
        assert tensor.grad is not None, parameter
        assert tensor.grad.dtype == tensor.dtype == kept[parameter]
        assert torch.isfinite(tensor.grad).all(), parameter
        assert tensor.grad.abs().max() > 0, parameter
    assert {kept[n] for n in learning} == {LOW if form == "deepspeed" else FULL}

    products = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)
    whole = form == "deepspeed"  # in autocast, norms and sums are fp32
    for module, found in types.items():
        if whole or isinstance(model.get_submodule(module), products):
            assert found == {LOW}, module
    # Once forward, and again in the backward pass; the question is read once, without a gradient.
    again = {runs[n] for n in runs if n.endswith(".self_attn")}
    assert again == {2 + specification(name).reads_text}


@EVERY
@pytest.mark.parametrize("form", FORMS)
def test_an_adapter_is_stored_and_loaded_without_a_change(
    parts: Path, tmp_path: Path, name: str, form: str
) -> None:
    model = model_of(parts, name, "pretrain", form)
    forward(model, form).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad)
    save_adapter(model, tmp_path, {})
    again = model_of(parts, name, "pretrain", form, seed=1)
    before = forward(again, form)
    load_adapter(again, tmp_path)
    assert torch.equal(forward(again, form), forward(model, form))
    assert not torch.equal(forward(again, form), before)


@EVERY
def test_a_model_is_stored_and_loaded_without_a_change(parts: Path, tmp_path: Path, name: str) -> None:
    model = model_of(parts, name, "finetune", "deepspeed")
    batch = batch_of(model)
    expected = model.eval()(**batch)
    nn.Module.to(model, LOW)  # as `paretoken.train.store` does
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert {p.dtype for p in again.parameters()} == {LOW}
    made = again.eval()(**batch)
    assert made.logits.dtype == LOW
    assert torch.equal(made.logits, expected.logits)
    assert torch.equal(made.loss, expected.loss)
