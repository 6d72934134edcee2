from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from paretoken.errors import UserError
from paretoken.train import zero
from paretoken.train.recipe import read_recipe
from paretoken.train.zero import gather_parameters, keep_frozen, prepare_deepspeed, read_zero, size

RECIPES = Path(__file__).parents[3] / "workflow" / "recipes"
needs_deepspeed = pytest.mark.skipif(
    find_spec("deepspeed") is None,
    reason="DeepSpeed is not installed: pip install -c constraints.txt 'paretoken[deepspeed]'",
)


def test_without_deepspeed_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zero, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install -c constraints.txt 'paretoken\[deepspeed\]'"):
        read_zero(RECIPES / "deepspeed" / "zero2.json")


@pytest.mark.parametrize("stage", [2, 3])
def test_the_configurations_of_the_project_leave_the_rest_to_the_recipe(
    stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zero, "find_spec", lambda _: True)
    config = read_zero(RECIPES / "deepspeed" / f"zero{stage}.json")
    assert config["zero_optimization"]["stage"] == stage
    for key in (
        "train_batch_size",
        "train_micro_batch_size_per_gpu",
        "gradient_accumulation_steps",
        "gradient_clipping",
    ):
        assert config[key] == "auto"


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_the_recipes_of_the_paper_name_files_that_exist(stage: str) -> None:
    recipe = read_recipe(RECIPES / f"llava_{stage}.yaml", stage)
    assert recipe.deepspeed is not None
    assert (RECIPES / recipe.deepspeed).exists()
    assert recipe.packing
    assert recipe.micro_batch == "auto"
    assert recipe.global_batch == 256


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "it must be one of 1, 2 and 3"),
        ({"zero_optimization": {"stage": 0}}, "it must be one of 1, 2 and 3"),
        ({"zero_optimization": {"stage": 2}, "optimizer": {}}, "sets 'optimizer': the recipe sets"),
        (
            {"zero_optimization": {"stage": 2}, "fp16": {}},
            "sets 'fp16': the recipe sets precision, fp32 or bf16",
        ),
        ({"zero_optimization": {"stage": 2}}, "grad_accum_dtype is None; it must be fp32"),
        (
            {"zero_optimization": {"stage": 3}, "data_types": {"grad_accum_dtype": "bf16"}},
            "grad_accum_dtype is 'bf16'; it must be fp32",
        ),
        ({"zero_optimization": {"stage": 3}, "data_types": []}, "grad_accum_dtype is None"),
    ],
)
def test_what_the_recipe_decides_is_refused(
    content: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zero, "find_spec", lambda _: True)
    (tmp_path / "zero.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        read_zero(tmp_path / "zero.json")


@needs_deepspeed
@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU the op is neither built nor used")
def test_nothing_is_compiled_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins a private table of DeepSpeed: if it changes, a minute of compiling is back."""
    import deepspeed
    from deepspeed.accelerator import get_accelerator
    from deepspeed.comm.torch import build_shm_op

    monkeypatch.setitem(deepspeed.ops.__compatible_ops__, "deepspeed_shm_comm", True)
    prepare_deepspeed()
    assert get_accelerator().device_name() == "cpu"
    assert build_shm_op() is None


def test_frozen_weights_may_be_absent_from_a_checkpoint_and_others_not() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    learned = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("1")}
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict(learned)
    handle = keep_frozen(model)
    model.load_state_dict(learned)
    with pytest.raises(RuntimeError, match=r"1\.bias"):
        model.load_state_dict({"1.weight": learned["1.weight"]})
    handle.remove()


def test_a_model_that_is_not_split_stays_as_it_is() -> None:
    model = nn.Linear(3, 2)
    weight = model.weight
    gather_parameters(model)
    assert model.weight is weight
    assert size(weight) == 6
