"""The fixed map before the projector: white inputs, stored with the model, never trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from paretoken.data.features import FeatureStore
from paretoken.errors import UserError
from paretoken.model_files.pretrained import load_pretrained
from paretoken.models.assemble import Choice
from paretoken.models.projector import Projector
from paretoken.train.recipe import read_recipe
from paretoken.train.stage import StageInputs, run_stage
from paretoken.train.whitening import symmetric_root

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture
def world(tiny_world: Path) -> Path:
    return tiny_world


def inputs(world: Path, out: Path, choice: Choice) -> StageInputs:
    return StageInputs(
        llm=world / "llm", vision=world / "vision", data=world / "tokens", out=out, choice=choice,
        seed=0, features=world / "features",
    )  # fmt: skip


def test_the_root_whitens_what_was_measured() -> None:
    torch.manual_seed(0)
    x = torch.randn(4000, 6, dtype=torch.float64) @ torch.randn(6, 6, dtype=torch.float64)
    covariance = torch.cov(x.T)
    root = symmetric_root(covariance)
    white = root @ covariance @ root
    assert (white - torch.diag(white.diag())).abs().max() < 0.5
    assert torch.linalg.eigvalsh(white).max() < 1  # shrinking lowers weak directions
    assert torch.linalg.eigvalsh(white)[-1] > 0.9


def test_both_stages_keep_the_map_and_the_model_carries_it(world: Path, tmp_path: Path) -> None:
    from paretoken.models.vlm import ParetokenModel

    choice = Choice("average_pool", 4, projector_width=24, whiten=True)
    first = inputs(world, tmp_path / "1", choice)
    run_stage(first, read_recipe(world / "pretrain.yaml", "pretrain"))
    second = dataclasses.replace(first, out=tmp_path / "2", adapter=tmp_path / "1" / "adapter")
    run_stage(second, read_recipe(world / "finetune.yaml", "finetune"))
    before = load_file(tmp_path / "1" / "adapter" / "adapter.safetensors")
    after = load_file(tmp_path / "2" / "model" / "model.safetensors")
    for name in ("projector.input_mean", "projector.input_map"):
        assert torch.equal(before[name], after[name])
    assert not torch.equal(before["projector.input_map"], torch.eye(32))
    assert after["projector.expand.weight"].shape == (24, 32)
    model = load_pretrained(ParetokenModel, tmp_path / "2" / "model")
    assert torch.equal(model.projector.input_map, after["projector.input_map"])


def test_tokens_that_pass_the_map_are_centred_and_measured_alike_each_time(
    world: Path, tmp_path: Path
) -> None:
    choice = Choice("average_pool", 4, whiten=True)
    maps = []
    for name in ("a", "b"):
        recipe = read_recipe(world / "pretrain.yaml", "pretrain")
        run_stage(inputs(world, tmp_path / name, choice), recipe)
        maps.append(load_file(tmp_path / name / "adapter" / "adapter.safetensors"))
    assert torch.equal(maps[0]["projector.input_map"], maps[1]["projector.input_map"])
    store = FeatureStore(world / "features")
    grid = store.array[:, store.layers.index(3)].reshape(24, 2, 3, 2, 3, 32)  # regions of 3 x 3
    pooled = grid.astype("f4").mean((2, 4))
    centred = torch.from_numpy(pooled) - maps[0]["projector.input_mean"]
    white = centred @ maps[0]["projector.input_map"]
    assert white.flatten(0, 2).mean(0).abs().max() < 1e-3


def test_a_compressor_that_learns_cannot_be_whitened(world: Path, tmp_path: Path) -> None:
    choice = Choice("tokenpacker", 4, heads=4, whiten=True)
    with pytest.raises(UserError, match="cannot be combined with whiten"):
        run_stage(inputs(world, tmp_path, choice), read_recipe(world / "pretrain.yaml", "pretrain"))


def test_a_projector_in_bf16_keeps_its_map_in_fp32() -> None:
    projector = Projector(4, 3, whiten=True)
    for layer in (projector.expand, projector.output):
        layer.to(torch.bfloat16)
    projector.set_input_map(torch.full((4,), 0.5), 2 * torch.eye(4))
    out = projector(torch.ones(1, 2, 4, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    assert projector.input_map.dtype == torch.float32
