"""Attention within regions: equal to torch's own, within the limits of kernels, frugal with memory."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from multihead import multihead
from paretoken.compressors.base import Layout, module_of
from paretoken.compressors.reach import reachable_tokens
from paretoken.compressors.region_attention_module import OneQueryAttention, RegionAttention
from paretoken.compressors.specification import compressors_that, specification
from paretoken.registry import COMPRESSORS

#: Images of a planned micro batch, and the encoder's grid and channels: CLIP ViT-L/14 at 336 px.
IMAGES, SIDE, WIDTH = 64, 24, 1024
#: Most entries of a batch in one call of a product, and rows to which FlashAttention pads queries.
MOST, PADDED = 16_384, 128
REGIONAL = compressors_that(
    lambda facts: facts.attends and issubclass(module_of(facts), RegionAttention)
)


def drawn(seed: int) -> tuple[nn.MultiheadAttention, list[Tensor], Tensor]:
    """Return an attention of random shape, a query, keys and values, and a gradient of its output."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    images, regions, keys = rng.choice([1, 2, 5]), rng.choice([1, 4, 9, 16]), rng.choice([1, 4, 9, 36])
    heads = rng.choice([1, 2, 8])
    width = heads * rng.choice([1, 3, 8, 16])
    attention = OneQueryAttention(width, heads, batch_first=True)
    for bias in (attention.in_proj_bias, attention.out_proj.bias):
        nn.init.normal_(bias)
    given = [
        torch.randn(images, regions, width),
        *torch.randn(2, images, regions, keys, width),
    ]
    return attention, given, torch.randn(images, regions, width)


def results(forward: Any, attention: nn.Module, given: list[Tensor], grad: Tensor) -> dict[str, Tensor]:
    """Return the output and the gradients of inputs and parameters."""
    attention.zero_grad()
    leaves = [part.detach().clone().requires_grad_() for part in given]
    output = forward(attention, *leaves)
    output.backward(grad.to(output.dtype))
    found = {"output": output.detach()}
    found |= {f"input {i}": leaf.grad for i, leaf in enumerate(leaves) if leaf.grad is not None}
    return found | {n: p.grad.clone() for n, p in attention.named_parameters() if p.grad is not None}


def furthest(found: dict[str, Tensor], exact: dict[str, Tensor]) -> dict[str, float]:
    """Return the largest difference in each result, in units of the largest value if that exceeds 1."""
    assert found.keys() == exact.keys()
    return {
        name: float((found[name] - tensor).abs().max()) / max(1.0, float(tensor.abs().max()))
        for name, tensor in exact.items()
    }


@pytest.mark.parametrize("seed", range(40))
def test_one_query_equals_torchs_attention(seed: int) -> None:
    attention, given, grad = drawn(seed)
    made, former = (results(f, attention, given, grad) for f in (OneQueryAttention.forward, multihead))
    attention, given = attention.double(), [part.double() for part in given]
    exact = results(multihead, attention, given, grad)
    assert len(exact) == 8
    theirs = furthest(former, exact)
    for name, error in furthest(made, exact).items():
        assert error < max(1e-6, theirs[name]), name
    same = results(OneQueryAttention.forward, attention, given, grad)
    assert max(furthest(same, exact).values()) < 1e-13


def test_the_gradients_are_those_of_the_function() -> None:
    _, given, _ = drawn(3)
    leaves = [part[:1, :4, ..., :4].double().requires_grad_() for part in given]
    small = OneQueryAttention(leaves[0].shape[-1], 1, batch_first=True).double()
    assert torch.autograd.gradcheck(small, leaves)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("autocast", [False, True])
def test_rounding_in_bf16_is_no_larger_than_that_of_torchs_attention(seed: int, autocast: bool) -> None:
    attention, given, grad = drawn(seed)
    exact = results(multihead, attention.double(), [part.double() for part in given], grad)
    attention = attention.float() if autocast else attention.bfloat16()
    low = given if autocast else [part.bfloat16() for part in given]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        made = results(OneQueryAttention.forward, attention, low, grad)
        former = results(multihead, attention, low, grad)
    assert made["output"].dtype == torch.bfloat16
    for name, tensor in exact.items():
        assert made[name].dtype == former[name].dtype
        scale = float(tensor.square().mean().sqrt()) + 1e-2
        mine, theirs = (
            float((found[name] - tensor).square().mean().sqrt()) / scale for found in (made, former)
        )
        assert mine < max(2e-2, 1.2 * theirs), name


@pytest.mark.parametrize("heads", [1, 4])
def test_weights_are_named_and_drawn_as_before(heads: int) -> None:
    torch.manual_seed(7)
    expected = nn.MultiheadAttention(16, heads, batch_first=True).state_dict()
    torch.manual_seed(7)
    made = OneQueryAttention(16, heads, batch_first=True).state_dict()
    assert list(made) == list(expected)
    assert all(torch.equal(made[name], tensor) for name, tensor in expected.items())


class Batches(TorchDispatchMode):
    """Records the batch of each product, as the device would be asked for it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten.bmm, torch.ops.aten.baddbmm):
            self.found.append(args[-2].shape[0])
        return func(*args, **(kwargs or {}))


@contextmanager
def seen_queries(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.Size]]:
    """Yield the shapes (..., heads, queries, channels) of the queries of all fused attentions."""
    shapes: list[torch.Size] = []
    fused = functional.scaled_dot_product_attention

    def observed(query: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        shapes.append(query.shape)
        return fused(query, *args, **kwargs)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", observed)
    yield shapes


def budgets(name: str) -> list[int]:
    """Return the fewest, the most and some V between of a compressor, as it is trained."""
    counts = reachable_tokens(name, SIDE)
    return (
        [counts[-1]]
        if specification(name).elastic
        else [counts[0], counts[len(counts) // 2], counts[-1]]
    )


@pytest.mark.parametrize(
    ("name", "tokens"), [(name, V) for name in COMPRESSORS for V in dict.fromkeys(budgets(name))]
)
def test_no_call_grows_beyond_what_kernels_can_index(
    name: str, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = specification(name)
    side = round(tokens**0.5) if facts.smaller_images else SIDE
    monkeypatch.setattr(nn.init, "trunc_normal_", lambda tensor, **_: tensor)  # it reads numbers
    with FakeTensorMode():
        layout = Layout(SIDE, WIDTH, (0, 1, 2, 3), 3, facts.heads, text=4096, attention=(0, 1))
        compressor = module_of(facts)(layout, tokens)
        features = torch.empty(IMAGES, 4, side**2, WIDTH, requires_grad=True)
        text = (torch.empty(IMAGES, 4096),) if facts.reads_text else ()
        with seen_queries(monkeypatch) as queries, Batches() as batches:
            made = compressor.reduce(compressor(features, *text), tokens)
            assert made.shape == (IMAGES, tokens, compressor.width)
            made.sum().backward()
    assert max(batches.found, default=0) <= MOST
    for *batch, heads, count, channels in queries:
        assert count > 1, "one query per sequence"
        padded = -(-count // PADDED) * PADDED
        assert torch.Size(batch).numel() * heads * padded * channels < 2**31
    if name in REGIONAL:
        assert not queries
        assert not batches.found


def test_the_observers_see_what_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    attention = OneQueryAttention(16, 2, batch_first=True, device="meta")
    with seen_queries(monkeypatch) as queries, Batches() as batches:
        multihead(attention, *(torch.empty(3, 5, *n, 16, device="meta") for n in ([], [4], [4])))
    assert queries == [(15, 2, 1, 8)]
    assert max(batches.found) == 30


def kept_bytes(name: str, tokens: int, images: int) -> int:
    """Return the bytes of activations that a compressor in bf16 keeps for its backward pass."""
    facts = specification(name)
    layout = Layout(SIDE, 32, (0, 1, 2, 3), 3, facts.heads, text=32)
    torch.manual_seed(0)
    compressor = module_of(facts)(layout, tokens).bfloat16()
    features = torch.randn(images, 4, SIDE**2, 32).bfloat16()
    text = (torch.randn(images, 32).bfloat16(),) if facts.reads_text else ()
    given = [features, *text, *compressor.parameters()]
    known = {part.untyped_storage().data_ptr() for part in given}
    kept: dict[int, Tensor] = {}  # holding them, so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        compressor(features, *text)
    return sum(part.untyped_storage().nbytes() for at, part in kept.items() if at not in known)


@pytest.mark.parametrize("tokens", [1, 144, 576])
@pytest.mark.parametrize("name", ["tokenpacker", "quecc"])
def test_memory_for_the_backward_pass_is_a_few_maps_of_the_encoder(name: str, tokens: int) -> None:
    few, many = kept_bytes(name, tokens, 1), kept_bytes(name, tokens, 3)
    of_patch = (many - few) / 2 / SIDE**2 / 2 / 32  # maps of one encoder layer in bf16
    # The four joined layers, and of keys and of values: what goes into and comes out of GELU, norm and
    # regions. QueCC keeps as much of the patches for its queries; queries are as many as tokens.
    assert of_patch < {"tokenpacker": 15, "quecc": 20}[name] + 5.5 * tokens / SIDE**2
