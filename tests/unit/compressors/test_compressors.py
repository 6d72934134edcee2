from __future__ import annotations

import pytest
import torch
from torch import nn

from multihead import multihead
from paretoken.compressors.average_pool_module import AveragePool
from paretoken.compressors.base import Adaptive, Compressor, Layout, module_of, regions
from paretoken.compressors.none_module import NoCompression
from paretoken.compressors.reach import reachable_tokens, require_reachable
from paretoken.compressors.specification import Sizes, compressors_that, specification
from paretoken.compressors.tokenpacker_module import TokenPacker
from paretoken.errors import UserError
from paretoken.registry import COMPRESSORS

SIDE, WIDTH = 6, 16
TEXT = 12
LAYOUT = Layout(side=SIDE, width=WIDTH, layers=(0, 1, 2), query=1, heads=4, text=TEXT, attention=(1, 2))


def features(images: int = 2, side: int = SIDE) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(images, 3, side * side, WIDTH)


@pytest.mark.parametrize("name", list(COMPRESSORS))
def test_a_module_makes_every_count_that_its_specification_says_of_channels_that_it_says(
    name: str,
) -> None:
    facts = specification(name)
    assert facts.name == name
    text = (torch.randn(2, TEXT),) if facts.reads_text else ()
    for tokens in reachable_tokens(name, SIDE):
        side = round(tokens**0.5) if facts.smaller_images else SIDE
        compressor = module_of(facts)(LAYOUT, tokens)
        made = compressor.reduce(compressor(features(side=side), *text), tokens)
        assert made.shape == (2, tokens, compressor.width)
        assert compressor.width == facts.channels(Sizes(tokens, SIDE, WIDTH, 3 * WIDTH, TEXT))


@pytest.mark.parametrize("name", list(COMPRESSORS))
def test_traits_are_what_the_module_does(name: str) -> None:
    facts = specification(name)
    module = module_of(facts)(LAYOUT, reachable_tokens(name, SIDE)[-1])
    assert any(isinstance(part, nn.MultiheadAttention) for part in module.modules()) == facts.attends
    assert bool(list(module.parameters())) == facts.learns
    assert isinstance(module, Adaptive) == facts.adaptive
    reduces = type(module).reduce is not Compressor.reduce
    assert reduces == (facts.elastic is not None)
    read = {layer for depth in (24, 4, 1) for layer in facts.layers(depth) if not 0 <= layer <= depth}
    assert not read, "layers that an encoder does not have"


@pytest.mark.parametrize("name", list(COMPRESSORS))
@pytest.mark.parametrize("side", [1, 2, 5, 6, 24])
def test_what_training_shows_can_be_reached(name: str, side: int) -> None:
    facts = specification(name)
    if facts.elastic is not None:
        assert set(facts.elastic.counts(side)) <= set(reachable_tokens(name, side))


@pytest.mark.parametrize(("name", "tokens"), [("tokenpacker", 5), ("none", 4), ("average_pool", 16)])
def test_unreachable_counts_are_refused_with_what_can_be_reached(name: str, tokens: int) -> None:
    with pytest.raises(UserError, match=rf"cannot make {tokens} tokens.*write one of: .*36"):
        require_reachable(name, SIDE, tokens)
    assert require_reachable(name, SIDE, 0) == 0


def test_regions_are_the_blocks_of_the_grid() -> None:
    grid = torch.arange(36).view(1, 36, 1)
    blocks = regions(grid, 6, 3)[0, :, :, 0]
    assert blocks[0].tolist() == [0, 1, 2, 6, 7, 8, 12, 13, 14]
    assert blocks[1].tolist() == [3, 4, 5, 9, 10, 11, 15, 16, 17]
    assert blocks[2, 0] == 18


def test_average_pool_is_the_mean_of_each_block() -> None:
    x = features()
    pooled = AveragePool(LAYOUT, 4)(x)
    assert pooled.shape == (2, 4, 3 * WIDTH)
    grid = x[0, 2].view(6, 6, WIDTH)
    torch.testing.assert_close(pooled[0, 3, 2 * WIDTH :], grid[3:, 3:].mean((0, 1)))


def test_no_compression_passes_the_chosen_layers_on() -> None:
    x = features()
    only = Layout(side=SIDE, width=WIDTH, layers=(1,), query=1, heads=1)
    assert torch.equal(NoCompression(only, 36)(x), x[:, 1])


@pytest.mark.parametrize(
    ("size", "taps"),
    [
        (24, [11, 12]),
        (12, [5, 6, 17, 18]),
        (8, [3, 4, 11, 12, 19, 20]),
        (3, [1, 4, 7, 10, 13, 16, 19, 22]),
        (1, list(range(24))),
    ],
)
def test_point_queries_read_only_the_central_patches(size: int, taps: list[int]) -> None:
    packer = TokenPacker(Layout(24, WIDTH, (0,), 0, 4), (24 // size) ** 2)
    x = torch.zeros(1, 1, 576, WIDTH, requires_grad=True)
    packer.points(x).sum().backward()
    assert x.grad is not None
    read = x.grad[0, 0, :, 0].view(24, 24).nonzero()
    assert sorted({int(row) for row, _ in read}) == taps
    assert sorted({int(column) for _, column in read}) == taps


def test_each_token_sees_all_of_its_region_and_nothing_else_but_its_query() -> None:
    packer = TokenPacker(Layout(SIDE, WIDTH, (0, 2), 1, 4), 4)
    x = features(1).requires_grad_()
    packer(x)[0, 1].sum().backward()
    assert x.grad is not None
    keys = x.grad[0, [0, 2]].abs().sum((0, 2)).view(6, 6)
    assert (keys[:3, 3:] > 0).all()
    assert keys[3:].sum() == 0
    assert keys[:3, :3].sum() == 0


def test_tokenpacker_equals_its_definition_written_out() -> None:
    torch.manual_seed(1)
    packer = TokenPacker(LAYOUT, 9)
    x = features(1)
    joined = torch.cat([x[0, 0], x[0, 1], x[0, 2]], dim=-1)
    grid = x[0, 1].view(6, 6, WIDTH)
    token = 5  # row 1, column 2 of the 3 x 3 tokens: patches (2..3, 4..5)
    point = grid[2:4, 4:6].mean((0, 1))  # even regions: the mean of the central four
    block = [int(i) for i in torch.arange(36).view(6, 6)[2:4, 4:6].flatten()]
    q = packer.query_norm(packer.query_map(point))[None, None]
    k = packer.key_norm(packer.key_map(joined[block]))[None]
    v = packer.value_norm(packer.value_map(joined[block]))[None]
    expected = multihead(packer.attention, q[0], k, v)
    torch.testing.assert_close(packer(x)[0, token], expected[0])


def test_tokenpacker_has_the_published_layers_and_weights() -> None:
    assert specification("tokenpacker").layers(24) == (12, 16, 22, 23)
    packer = TokenPacker(Layout(24, 1024, (0, 1, 2, 3), 3, 8), 36)
    assert packer.query_map.bias is None
    first = packer.key_map[0]
    assert isinstance(first, nn.Linear)
    assert (first.in_features, first.out_features) == (4096, 1024)
    assert packer.query_norm.eps == 1e-6


#: Heads, query layer and standard deviation of new weights in the authors' code: ``TokenPacker`` (a head
#: has 128 of 1,024 channels), ``QueCC`` (PyTorch's initialisation), and ``Resampler`` of MQT-LLaVA.
PACKER = (8, -2, 0.02)
PUBLISHED = {
    "tokenpacker": PACKER, "tokenpacker_antialiased": PACKER, "tokenpacker_pooled": PACKER,
    "repeat": PACKER, "quecc": (8, -2, None), "matryoshka_query": (16, None, 0.02),
}  # fmt: skip


def test_constants_are_those_of_the_authors() -> None:
    assert set(PUBLISHED) == set(compressors_that(lambda facts: facts.attends)), "add the constants"
    for name, (heads, query, std) in PUBLISHED.items():
        facts = specification(name)
        assert (facts.heads, facts.init_std) == (heads, std), name
        assert (facts.query_layer if facts.reads_query_layer else None) == query, name


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(UserError, match="does not divide"):
        TokenPacker(Layout(SIDE, WIDTH, (0,), 0, 5), 4)
