"""Packed conversations do not see each other: logits, losses and gradients as one by one."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface

import tiny
from paretoken.data.collation import Packing, TrainingCollator
from paretoken.data.conversations import Conversation
from paretoken.data.encoded import EncodedSet, read_encoded
from paretoken.data.encoded_writer import write_encoded
from paretoken.data.labels import EncodedConversation
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import Choice, FeatureLayers, assemble
from paretoken.models.vision import read_vision_config
from paretoken.models.vlm import ParetokenModel

IMAGE, V = 99, 4
FAMILIES = ["qwen2", "llama"]


class Store:
    """Random features of a few images."""

    argument = "features"

    def __init__(self) -> None:
        self.features = torch.randn(3, 1, 36, 32, generator=torch.Generator().manual_seed(1))

    def locate(self, names: list[str]) -> NDArray[np.int64]:
        return np.array([int(name) for name in names])

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        return self.features[rows]

    def read(self, rows: NDArray[np.int64]) -> tuple[Tensor, dict[int, str]]:
        return self.gather(rows), {}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("parts")
    for kind in FAMILIES:
        tiny.save_llm(folder / kind, kind, tied=kind == "qwen2", std=0.3)
    tiny.save_vision(folder / "vision")
    rng = np.random.default_rng(0)
    conversations, encoded = [], []
    for number, length in enumerate((9, 4, 6, 3, 5, 7)):
        ids = rng.integers(2, 12, length).astype(np.int32)
        image = str(number % 3) if number != 3 else None
        if image is not None:
            ids[number % 2] = IMAGE
        learned = np.arange(length) >= length // 2
        conversations.append(Conversation(str(number), image, ("q", "a")))
        encoded.append(EncodedConversation(ids, learned))
    write_encoded(folder / "tokens", conversations, encoded, IMAGE, {})
    return folder


@pytest.fixture(scope="module")
def data(parts: Path) -> EncodedSet:
    return read_encoded(parts / "tokens")


def build(parts: Path, kind: str) -> ParetokenModel:
    model = assemble(
        parts / kind,
        read_vision_config(parts / "vision"),
        Choice("average_pool", V),
        FeatureLayers((3,)),
        IMAGE,
        0,
    )
    freeze_all_but(model, trainable_prefixes("finetune"))
    return model


def batch(data: EncodedSet, packing: Packing | None) -> dict[str, Any]:
    return TrainingCollator(data, Store(), V, 0, 64, packing)(range(6))


def loss_and_gradients(
    model: ParetokenModel, inputs: dict[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    loss = model.train()(**inputs, num_items_in_batch=17).loss
    loss.backward()
    return loss.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def by_conversation(model: ParetokenModel, data: EncodedSet, packing: Packing | None) -> list[Tensor]:
    """Return the logits of each conversation, in the order of the data."""
    collator = TrainingCollator(data, Store(), V, 0, 64, packing)
    inputs = collator(range(6))
    inputs.pop("labels")
    with torch.no_grad():
        logits = model.eval()(**inputs, use_cache=False).logits
    found: dict[int, Tensor] = {}
    for row, members in enumerate(collator.layout(range(6))):
        start = 0
        for number in members:
            end = start + int(collator.lengths[number])
            found[number] = logits[row, start:end]
            start = end
    return [found[number] for number in range(6)]


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_and_unpacked_agree(parts: Path, data: EncodedSet, kind: str, attention: str) -> None:
    model = build(parts, kind)
    model.language_model.set_attn_implementation(attention)
    assert len(batch(data, "rows")["input_ids"]) < 6  # some rows hold several
    for one, other in zip(
        by_conversation(model, data, None), by_conversation(model, data, "rows"), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    loss, gradients = loss_and_gradients(model, batch(data, None))
    packed_loss, packed = loss_and_gradients(model, batch(data, "rows"))
    torch.testing.assert_close(loss, packed_loss, atol=1e-5, rtol=1e-5)
    assert gradients.keys() == packed.keys()
    for name in gradients:
        torch.testing.assert_close(gradients[name], packed[name], atol=1e-5, rtol=1e-5)
    full_loss = model.eval()(**batch(data, "rows"), num_items_in_batch=17).loss
    torch.testing.assert_close(full_loss, loss, atol=1e-5, rtol=1e-5)


def test_with_a_cache_packed_conversations_would_see_each_other(parts: Path, data: EncodedSet) -> None:
    """Pins the trap: if this fails, `transformers` keeps them apart by itself, with a cache too."""
    model = build(parts, "qwen2").eval()
    inputs = batch(data, "rows")
    inputs.pop("labels")
    with torch.no_grad():
        apart = model(**inputs, use_cache=False).logits
        together = model(**inputs, use_cache=True).logits
    assert not torch.allclose(apart, together, atol=1e-3)


def varlen(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, *,
    cu_seq_lens_q: Tensor, max_length_q: int, **_: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attention as FlashAttention computes it for several sequences in one row, on a CPU."""
    assert mask is None
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    ends = cu_seq_lens_q.tolist()
    assert max(b - a for a, b in itertools.pairwise(ends)) == max_length_q
    parts = [
        functional.scaled_dot_product_attention(
            query[:, :, a:b], key[:, :, a:b], value[:, :, a:b], is_causal=True
        )
        for a, b in itertools.pairwise(ends)
    ]
    return torch.cat(parts, 2).transpose(1, 2), None


@pytest.mark.parametrize("kind", FAMILIES)
def test_flash_attention_gets_the_ends_of_conversations(
    parts: Path, data: EncodedSet, kind: str
) -> None:
    AttentionInterface.register("varlen_on_cpu", varlen)
    AttentionMaskInterface.register("varlen_on_cpu", lambda *_, **__: None)
    model = build(parts, kind)
    loss, gradients = loss_and_gradients(model, batch(data, None))
    model.language_model.set_attn_implementation("varlen_on_cpu")
    flat_loss, flat = loss_and_gradients(model, batch(data, "flat"))
    torch.testing.assert_close(loss, flat_loss, atol=1e-5, rtol=1e-5)
    for name in gradients:
        torch.testing.assert_close(gradients[name], flat[name], atol=1e-5, rtol=1e-5)


def test_the_adapter_takes_part_in_batches_without_images(parts: Path, data: EncodedSet) -> None:
    model = build(parts, "qwen2")
    text_only = TrainingCollator(data, Store(), V, 0, 64)([3])
    _, gradients = loss_and_gradients(model, text_only)
    assert gradients["projector.output.weight"].abs().sum() == 0
    embedding = gradients["language_model.model.embed_tokens.weight"]
    assert embedding.abs().sum() > 0
