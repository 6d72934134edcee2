"""The arithmetic of activations, against traces of real steps on fake tensors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memory_forecast import Step, terms
from paretoken.compressors.specification import Sizes, specification
from paretoken.costs.activation_memory import MicroBatch, Trainee, VisionPart
from paretoken.costs.gpu_memory import Split
from paretoken.costs.shapes import DecoderShape, EncoderShape
from paretoken.plan.expected_shapes import CLIP_L_336
from paretoken.plan.layout import Layout
from paretoken.registry import COMPRESSORS
from paretoken.train.recipe import read_recipe

RECIPES = Path(__file__).parents[3] / "workflow" / "recipes"
QWEN = {
    "0.5B": DecoderShape(1024, 24, 16, 16, 64, 2816, 151936, tied=True, query_key_value_bias=True),
    "7B": DecoderShape(4096, 32, 32, 32, 128, 11008, 151936, tied=False, query_key_value_bias=True),
}
#: Two layers whose keys and values are shared by four heads each, and a small vocabulary.
SHALLOW = DecoderShape(1024, 2, 16, 4, 64, 2816, 1000, tied=True, query_key_value_bias=True)
#: CLIP ViT-L/14 at 336 pixels, with fewer layers.
FLAT = replace(CLIP_L_336, layers=4)
#: The largest difference between forecast and trace.
TOLERANCE = 0.15


def step(
    llm: DecoderShape,
    stage: str,
    micro: MicroBatch,
    compressor: str = "tokenpacker",
    tokens: int = 144,
    zero: int = 3,
    encoder: EncoderShape = FLAT,
    **changes: Any,
) -> Step:
    """Return a step of the paper's recipe, with some settings changed."""
    settings = [(key, str(value)) for key, value in changes.items()]
    recipe = read_recipe(RECIPES / f"llava_{stage}.yaml", stage, settings)
    joined = len(specification(compressor).layers(encoder.layers)) * encoder.width
    sizes = Sizes(tokens, encoder.side, encoder.width, joined, llm.hidden)
    trainee = Trainee(
        trained=0,
        frozen=0,
        llm=llm,
        llm_learns=stage == "finetune",
        vision=VisionPart(compressor, sizes, llm.hidden, encoder),
        bf16=recipe.precision == "bf16",
        checkpointing=recipe.gradient_checkpointing,
        masked=recipe.packing,
    )
    return Step("", compressor, tokens, stage, Layout(trainee, Split(1, zero), micro), recipe)


def require_near(found: Step, names: tuple[str, ...]) -> None:
    both = terms(found, found.trace())
    for name in names:
        forecast, trace = both[name]
        assert forecast == pytest.approx(trace, rel=TOLERANCE), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "stage", "micro"),
    [
        ("0.5B", "pretrain", MicroBatch(64, 64, 161, 960, 64)),
        ("7B", "finetune", MicroBatch(32, 7, 2048, 4500, 30)),
    ],
)
def test_the_forecast_is_what_a_step_of_the_paper_takes(
    size: str, stage: str, micro: MicroBatch
) -> None:
    names = ("encoder", "logits", "backward", "peak", "compressor")
    require_near(step(QWEN[size], stage, micro, encoder=CLIP_L_336), names)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("zero", [0, 3])
@pytest.mark.parametrize(
    "changes",
    [{}, {"gradient_checkpointing": False}, {"packing": False}, {"precision": "fp32"}],
    ids=str,
)
def test_every_way_to_train_is_counted(stage: str, zero: int, changes: dict[str, Any]) -> None:
    micro = MicroBatch(16, 8, 2048, 1000, 4)
    require_near(step(SHALLOW, stage, micro, zero=zero, **changes), ("encoder", "backward", "peak"))


@pytest.mark.slow
@pytest.mark.parametrize("compressor", list(COMPRESSORS))
def test_every_compressor_keeps_what_its_specification_says(compressor: str) -> None:
    tokens = 144 if 144 in specification(compressor).reach(FLAT.side) else 576
    micro = MicroBatch(4, 4, tokens + 20, 40, 4)
    require_near(step(SHALLOW, "pretrain", micro, compressor, tokens), ("compressor", "peak"))
