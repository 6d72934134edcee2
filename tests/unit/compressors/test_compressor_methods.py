"""Each compressor against its published description written out slowly, and where its tokens look."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from paretoken.compressors.base import Compressor, Layout, module_of
from paretoken.compressors.matryoshka_pooling_module import MatryoshkaPooling
from paretoken.compressors.matryoshka_query_module import MatryoshkaQuery, resized, sine_positions
from paretoken.compressors.prumerge_module import NEIGHBOURS, PruMerge, PruMergePlus
from paretoken.compressors.quecc_module import QueCC
from paretoken.compressors.random_patches_module import RandomPatches
from paretoken.compressors.reach import reachable_tokens
from paretoken.compressors.repeat_module import Repeat
from paretoken.compressors.specification import specification
from paretoken.compressors.tokenpacker_module import AntialiasedTokenPacker, PooledTokenPacker
from paretoken.errors import UserError
from paretoken.registry import COMPRESSORS

SIDE, WIDTH, TEXT = 6, 16, 12
#: Two layers that are joined, a query layer, and the encoder's last attention.
LAYOUT = Layout(SIDE, WIDTH, (0, 1), 2, heads=4, text=TEXT, attention=(3, 4))
METHODS = [name for name in COMPRESSORS if name != "none"]
#: Tokens whose input is a part of the image.
LOCAL = ["tokenpacker", "tokenpacker_pooled", "quecc", "average_pool", "matryoshka_pooling", "repeat"]


def features(images: int = 3, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    made = torch.randn(images, 5, SIDE**2, WIDTH)
    made[:, 4] = torch.randn(images, SIDE**2, 1).mul(2).softmax(1)  # scores: the same in all channels
    return made


def build(name: str, tokens: int, seed: int = 1) -> Compressor:
    torch.manual_seed(seed)
    return module_of(specification(name))(LAYOUT, tokens)


def tokens_of(compressor: Compressor, x: Tensor, text: Tensor | None = None, V: int = 4) -> Tensor:
    told: Any = (text,) if isinstance(compressor, QueCC) else ()
    return compressor.reduce(compressor(x, *told), V)


@pytest.mark.parametrize("name", METHODS)
def test_batch_order_does_not_matter(name: str) -> None:
    compressor, x, text = build(name, 4), features(), torch.randn(3, TEXT)
    order = torch.tensor([2, 0, 1])
    made = tokens_of(compressor, x, text)
    torch.testing.assert_close(made[order], tokens_of(compressor, x[order], text[order]))
    torch.testing.assert_close(made[1:2], tokens_of(compressor, x[1:2], text[1:2]))


@pytest.mark.parametrize("name", METHODS)
def test_every_weight_learns(name: str) -> None:
    most = reachable_tokens(name, SIDE)[-1] if specification(name).elastic else 4
    compressor = build(name, most)
    out = tokens_of(compressor, features(), torch.randn(3, TEXT), most)
    weights = dict(compressor.named_parameters())
    assert bool(weights) == specification(name).learns
    if weights:
        torch.manual_seed(2)
        (out * torch.randn_like(out)).sum().backward()
        still = {n for n, p in weights.items() if p.grad is None or not p.grad.abs().max() > 1e-9}
        assert not still
        assert all(p.requires_grad for p in weights.values())


@pytest.mark.parametrize("name", LOCAL)
def test_a_bright_patch_changes_only_the_tokens_that_cover_it(name: str) -> None:
    compressor, text = build(name, 4), torch.randn(1, TEXT)
    x = features(1)
    bright = x.clone()
    bright[:, :3, 4 * SIDE + 1] += 3.0  # row 4, column 1: the lower left region
    change = (tokens_of(compressor, bright, text) - tokens_of(compressor, x, text)).abs().amax(2)[0]
    assert change[2] > 1e-4
    assert change[[0, 1, 3]].max() < 1e-6


def test_antialiased_queries_are_triangles_and_pooled_ones_means() -> None:
    patches = features(1)[:, 2]
    grid = patches[0].view(SIDE, SIDE, WIDTH)
    pooled = build("tokenpacker_pooled", 4)
    assert isinstance(pooled, PooledTokenPacker)
    torch.testing.assert_close(pooled.points(features(1))[0, 1], grid[:3, 3:].mean((0, 1)))
    smooth = build("tokenpacker_antialiased", 4)
    assert isinstance(smooth, AntialiasedTokenPacker)
    # The first of two points lies at 1, patches at 0, 1, 2, ...: a triangle of half-width 3 about it.
    weight = torch.tensor([max(0.0, 1 - abs(i - 1) / 3) for i in range(SIDE)])
    weight /= weight.sum()
    expected = torch.einsum("y,x,yxc->c", weight, weight, grid)
    torch.testing.assert_close(smooth.points(features(1))[0, 0], expected)


def attention_of_one(layer: nn.MultiheadAttention, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return multi-head attention of one query (width,) on keys and values (n, width), head by head."""
    width, heads = q.shape[0], layer.num_heads
    wq, wk, wv = layer.in_proj_weight.chunk(3)
    bq, bk, bv = layer.in_proj_bias.chunk(3)
    q, k, v = wq @ q + bq, k @ wk.T + bk, v @ wv.T + bv
    made = []
    for head in range(heads):
        at = slice(head * width // heads, (head + 1) * width // heads)
        scores = (k[:, at] @ q[at]) / math.sqrt(width // heads)
        made.append(scores.softmax(0) @ v[:, at])
    return layer.out_proj(torch.cat(made))  # type: ignore[no-any-return]


def test_quecc_equals_its_description() -> None:
    compressor = build("quecc", 4)
    assert isinstance(compressor, QueCC)
    x, text = features(1), torch.randn(1, TEXT)
    told = compressor.text_norm(compressor.text_map(text[0]))
    queries = [compressor.query_norm(compressor.query_map(patch + told)) for patch in x[0, 2]]
    joined = [torch.cat([x[0, 0, i], x[0, 1, i]]) for i in range(SIDE**2)]
    for token in range(4):
        top, left = divmod(token, 2)
        block = [(top * 3 + r, left * 3 + c, r, c) for r in range(3) for c in range(3)]
        query = compressor.pool.bias.clone()  # type: ignore[union-attr]
        for row, column, r, c in block:
            query = query + compressor.pool.weight[:, 0, r, c] * queries[row * SIDE + column]
        own = [joined[row * SIDE + column] for row, column, _, _ in block]
        key = torch.stack([compressor.key_norm(compressor.key_map(patch)) for patch in own])
        value = torch.stack([compressor.value_norm(compressor.value_map(patch)) for patch in own])
        expected = attention_of_one(compressor.attention, query, key, value)
        torch.testing.assert_close(compressor(x, text)[0, token], expected, rtol=1e-4, atol=1e-6)


def test_quecc_needs_the_question_and_reads_it() -> None:
    compressor, x = build("quecc", 4), features(1)
    with pytest.raises(UserError, match="needs the question"):
        compressor(x)
    one, other = (compressor(x, torch.full((1, TEXT), value)) for value in (1.0, -1.0))
    assert not torch.equal(one, compressor(x, torch.arange(TEXT).float()[None]))
    assert one.shape == other.shape == (1, 4, WIDTH)


def test_elastic_queries_equal_their_description() -> None:
    compressor = build("matryoshka_query", 36)
    assert isinstance(compressor, MatryoshkaQuery)
    x = features(1)
    joined = torch.cat([x[0, 0], x[0, 1]], dim=-1)
    value = torch.stack([compressor.value_norm(patch) for patch in joined])
    key = torch.stack([compressor.key_norm(p) for p in compressor.patch_positions])
    for number in (0, 7, 35):
        query = compressor.query_norm(compressor.query[number] + compressor.query_positions[number])
        expected = attention_of_one(compressor.attention, query, key, value)
        torch.testing.assert_close(compressor(x)[0, number], expected, rtol=1e-4, atol=1e-6)


def test_the_first_queries_alone_are_those_of_all() -> None:
    whole, x = build("matryoshka_query", 36), features()
    for count in (1, 2, 9):
        few = build("matryoshka_query", count)
        few.load_state_dict(whole.state_dict())
        torch.testing.assert_close(few(x), whole.reduce(whole(x), count))


def test_positions_are_sines_of_column_and_row() -> None:
    made = sine_positions(16, 1024).double()
    assert made.shape == (256, 1024)
    row, column, channel = 5, 11, 17
    rate = 10_000 ** -(channel / 256)
    at = made[row * 16 + column]
    halves = [
        math.sin(column * rate),
        math.cos(column * rate),
        math.sin(row * rate),
        math.cos(row * rate),
    ]
    for quarter, expected in enumerate(halves):
        assert float(at[quarter * 256 + channel]) == pytest.approx(expected, abs=1e-6)
    assert resized(sine_positions(16, 32), 24).shape == (576, 32)
    assert list(reachable_tokens("matryoshka_query", 24)) == list(range(1, 257))


def test_nested_scales_are_means_behind_the_projector() -> None:
    compressor = build("matryoshka_pooling", 36)
    assert isinstance(compressor, MatryoshkaPooling)
    projected = torch.randn(2, 36, 8)
    grid = projected[1].view(6, 6, 8)
    torch.testing.assert_close(compressor.reduce(projected, 4)[1, 2], grid[3:, :3].mean((0, 1)))
    torch.testing.assert_close(compressor.reduce(projected, 1)[1, 0], grid.mean((0, 1)))
    assert torch.equal(compressor.reduce(projected, 36), projected)


def literal_merge(x: Tensor, scores: Tensor, keys: Tensor, kept: list[int], rest: bool) -> Tensor:
    """Return PruMerge's tokens of one image, patch by patch."""
    count = len(x)
    made = []
    for i in kept:
        likeness = [
            -math.inf if j == i else float(torch.cosine_similarity(keys[i], keys[j], dim=0))
            for j in range(count)
        ]
        near = sorted(range(count), key=lambda j: -likeness[j])[: min(NEIGHBOURS, count - 1)]
        made.append(x[i] + sum(scores[j] * x[j] for j in near))
    dropped = [j for j in range(count) if j not in kept]
    return torch.stack([*made, sum(scores[j] * x[j] for j in dropped)] if rest else made)  # type: ignore[list-item]


@pytest.mark.parametrize("V", [1, 2, 5, 36])
def test_prumerge_equals_its_description(V: int) -> None:
    compressor, x = build("prumerge", V), features(2)
    for image in range(2):
        joined, scores = torch.cat([x[image, 0], x[image, 1]], dim=-1), x[image, 4, :, 0]
        best = sorted(range(36), key=lambda j: -float(scores[j]))[: max(1, V - 1)]
        expected = literal_merge(joined, scores, x[image, 3], best, V > 1)
        torch.testing.assert_close(compressor(x)[image], expected, rtol=1e-4, atol=1e-5)


def test_prumerge_counts_each_image_by_itself() -> None:
    compressor, x = build("prumerge", 4), features(4, seed=3)
    assert isinstance(compressor, PruMerge)
    together = compressor.adaptive(x)
    for image in range(4):
        scores = x[image, 4, :, 0].double().numpy()
        low, high = np.percentile(scores, [25, 75])
        count = max(1, int((scores > high + 1.5 * (high - low)).sum()))
        assert len(together[image]) == count + 1
        best = sorted(range(36), key=lambda j, s=scores: -s[j])[:count]
        joined = torch.cat([x[image, 0], x[image, 1]], dim=-1)
        expected = literal_merge(joined, x[image, 4, :, 0], x[image, 3], best, True)
        torch.testing.assert_close(together[image], expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(compressor.adaptive(x[image : image + 1])[0], together[image])
    assert len({len(tokens) for tokens in together}) > 1


def test_prumerge_plus_adds_evenly_spaced_patches() -> None:
    compressor, x = build("prumerge_plus", 9), features(1)
    assert isinstance(compressor, PruMergePlus)
    scores = compressor.scores_of(x)
    best = sorted(range(36), key=lambda j: -float(scores[0, j]))[:2]
    left = [j for j in range(36) if j not in best]
    spaced = [left[int((i + 0.5) * 34 / 6)] for i in range(6)]
    assert compressor.kept(scores, 8)[0].tolist() == [*best, *spaced]
    flat = torch.full((1, 36), 1.0)
    flat[0, 20] = 5.0  # one outlier: a share of 1 / 36, so every 12th patch
    assert compressor.kept_adaptively(flat)[0].tolist() == [20, 0, 12, 24]
    assert len(compressor.adaptive(x)[0]) > 2


def test_random_patches_are_some_of_the_patches_and_stored() -> None:
    compressor, x = build("random", 5), features()
    assert isinstance(compressor, RandomPatches)
    places = compressor.places.tolist()
    assert places == sorted(set(places))
    assert torch.equal(compressor(x), torch.cat([x[:, 0], x[:, 1]], dim=-1)[:, places])
    other = build("random", 5, seed=9)
    assert isinstance(other, RandomPatches)
    assert other.places.tolist() != places
    other.load_state_dict(compressor.state_dict())
    assert torch.equal(other(x), compressor(x))


def test_repeated_tokens_are_tokenpackers_in_a_row() -> None:
    once, thrice, x = build("tokenpacker", 4), build("repeat", 12), features()
    assert isinstance(thrice, Repeat)
    thrice.load_state_dict(once.state_dict())
    torch.testing.assert_close(thrice(x), torch.cat([once(x)] * 3, dim=1))


@pytest.mark.parametrize("name", [name for name in METHODS if not specification(name).learns])
def test_what_has_no_weights_is_computed_alike_in_autocast(name: str) -> None:
    compressor, x = build(name, 4), features()
    with torch.autocast("cpu", torch.bfloat16):
        lower = tokens_of(compressor, x)
    assert torch.equal(lower, tokens_of(compressor, x))


@pytest.mark.parametrize("name", METHODS)
def test_weights_survive_a_round_trip(name: str) -> None:
    first, again, x, text = build(name, 4), build(name, 4, seed=5), features(), torch.randn(3, TEXT)
    again.load_state_dict(first.state_dict())
    assert torch.equal(tokens_of(first, x, text), tokens_of(again, x, text))
