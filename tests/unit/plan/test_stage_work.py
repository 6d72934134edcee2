"""Tokens, FLOPs and hours, against what trainers recorded and what LLaVA-1.5 published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from paretoken.config.asked import benchmarks_of
from paretoken.config.devices import BY_NAME
from paretoken.config.study import Study
from paretoken.costs.answer_work import DecoderShape, EncoderShape
from paretoken.plan.durations import UTILISATION, prediction_time, training_time
from paretoken.plan.expected_shapes import CLIP_L_336, guessed_shape
from paretoken.plan.question_counts import asked_by, in_all
from paretoken.plan.stage_work import Model, prediction_work, training_work
from paretoken.plan.training_sets import LLAVA, Group, TrainingSet

VICUNA = {
    "7b": DecoderShape(4096, 32, 32, 32, 128, 11008, 32000, tied=False),
    "13b": DecoderShape(5120, 40, 40, 40, 128, 13824, 32000, tied=False),
}
A100 = BY_NAME["a100-80g"]


def study(*own: dict[str, Any], asked: Sequence[str] = ("mme", "vqav2")) -> Study:
    """Return the shipped paper study with other benchmarks."""
    raw = yaml.safe_load((Path(__file__).parents[3] / "config.yaml").read_text())
    (paper,) = (each for each in raw["studies"] if each["name"] == "paper")
    paper["training"]["benchmarks"] = list(own)
    paper["suites"] = [paper["suites"][0] | {"benchmarks": list(asked)}]
    return Study.model_validate(paper)


def llava(size: str, compressor: str = "none", tokens: int = 576) -> Model:
    shape = VICUNA[size]
    layers = 4 if compressor == "tokenpacker" else 1
    return Model(shape, shape.parameters()["total"], CLIP_L_336, compressor, tokens, layers)


@pytest.mark.parametrize(
    ("width", "stage", "flops", "tokens"),
    [
        (16, "pretrain", 24_839_680_000, 320_000),
        (16, "finetune", 40_179_456_000, 440_000),
        (144, "pretrain", 774_059_520_000, 320_000),
        (144, "finetune", 1_563_873_024_000, 440_000),
    ],
)
def test_flops_are_those_that_trainers_recorded(
    width: int, stage: str, flops: float, tokens: int
) -> None:
    # run.json of cells of the miniature with V = 4, counted from the data that the trainer saw.
    heads = max(1, width // 24)
    llm = DecoderShape(width, 2, heads, heads, width // heads, 3 * width, 717, True, True)
    encoder = EncoderShape(width=64, layers=3, intermediate=128, side=6, patch=8)
    model = Model(
        llm, llm.parameters()["total"], encoder, "average_pool", 4, 2, 128, whitened=True, online=False
    )
    groups = [Group(20_000, 12, 6, image=True)]
    if stage == "finetune":
        groups.append(Group(24_000, 5, 2, image=False))
    batch = 80 if stage == "pretrain" else 176
    data = TrainingSet(tuple(groups), "by construction")
    work = training_work(model, data, stage == "finetune", batch, 64, 250, None)
    assert work.tokens == tokens
    assert work.flops == pytest.approx(flops, rel=1e-12)


@pytest.mark.parametrize(
    ("size", "stage", "hours"),
    [("7b", "pretrain", 3.5), ("13b", "pretrain", 5.5), ("7b", "finetune", 10), ("13b", "finetune", 20)],
)
def test_published_hours_of_llava(size: str, stage: str, hours: float) -> None:
    batch = 256 if stage == "pretrain" else 128
    work = training_work(llava(size), LLAVA[stage], stage == "finetune", batch, 2048, None, 1)
    assert work.steps == {"pretrain": 2181, "finetune": 5198}[stage], "as LLaVA-1.5's logs count them"
    took = training_time(work, A100, 8, 4, UTILISATION[stage], online=True)
    assert took.seconds / 3600 == pytest.approx(hours, rel=0.3)
    assert took.bound == "compute"


def test_fewer_visual_tokens_cost_less_but_never_less_than_the_images() -> None:
    def flops(tokens: int) -> float:
        model = llava("7b", "tokenpacker", tokens)
        return training_work(model, LLAVA["pretrain"], False, 256, 2048, None, 1).flops

    grid = [flops(tokens) for tokens in (1, 4, 16, 64, 144, 576)]
    assert grid == sorted(grid)
    assert grid[0] > 558_128 * 0.38e12
    few = training_work(llava("7b", "tokenpacker", 1), LLAVA["pretrain"], False, 256, 2048, None, 1)
    assert training_time(few, BY_NAME["h100"], 8, 4, 0.31, online=True).bound == "images"


def test_the_blind_control_trains_nothing_in_stage_1_and_sees_no_image_in_stage_2() -> None:
    model = llava("7b", "tokenpacker", 0)
    assert training_work(model, LLAVA["pretrain"], False, 256, 2048, None, 1).flops == 0
    work = training_work(model, LLAVA["finetune"], True, 128, 2048, None, 1)
    assert work.images == 0
    assert work.trained == VICUNA["7b"].parameters()["total"]


def test_longer_conversations_are_cut() -> None:
    data = TrainingSet((Group(100, 5000, 3000, image=True),), "made up")
    work = training_work(llava("7b"), data, True, 10, 2048, None, 1)
    assert work.tokens == 100 * 2048
    assert work.learned == 100 * 2048


def test_a_benchmark_with_a_limit_has_fewer_questions() -> None:
    every, some = (in_all(asked_by(study({"name": "vqav2", "limit": limit}))) for limit in (None, 1000))
    assert (every.count, some.count) == (2374 + 214_354, 2374 + 1000)
    model = llava("7b", "tokenpacker", 16)
    assert prediction_work(model, some, 64).flops < prediction_work(model, every, 64).flops / 20
    took = [
        prediction_time(prediction_work(model, asked, 64), 32, A100, 1, 4, 0.25).seconds
        for asked in (some, every)
    ]
    assert took[0] < took[1]


def test_another_split_and_a_task_of_lmms_eval_say_how_much_they_ask() -> None:
    full = study({"name": "scienceqa", "questions": "full"}, asked=["scienceqa"])
    assert asked_by(full) == [(4241, 130)]
    theirs = {"name": "theirs", "harness": "lmms_eval", "count": 700}
    assert asked_by(study(theirs, asked=["theirs"])) == [(700, 70)]
    assert asked_by(study(theirs | {"limit": 9}, asked=["theirs"])) == [(9, 70)]


@pytest.mark.parametrize("name", benchmarks_of(generated=False))
def test_every_benchmark_with_a_data_set_says_how_much_it_asks(name: str) -> None:
    ((count, tokens),) = asked_by(study(asked=[name]))
    assert count >= 900
    assert tokens in (70, 130)


def test_a_guessed_shape_has_the_parameters() -> None:
    for parameters in (0.5e9, 1.8e9, 7e9, 70e9):
        guess = guessed_shape(round(parameters)).parameters()["total"]
        assert guess == pytest.approx(parameters, rel=0.15)


def test_parameters_of_clip() -> None:
    assert CLIP_L_336.parameters() == 303_507_456  # as counted on the published tower
