from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from paretoken.errors import UserError
from paretoken.train.checkpoints import MANIFEST, latest, remove_old, seal
from paretoken.train.loss_guard import Guard, TrainingStoppedError
from paretoken.train.recipe import read_recipe, steps_for

RECIPES = Path(__file__).parents[3] / "workflow" / "recipes"
GOOD: dict[str, Any] = {
    "stage": "finetune",
    "learning_rates": {"projector": 1e-3, "llm": "2e-5"},
    "global_batch": 8,
    "micro_batch": 4,
    "steps": 10,
}


def write(folder: Path, **changes: Any) -> Path:
    content = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    return folder / "recipe.yaml"


def test_every_recipe_of_the_workflow_is_valid() -> None:
    for path in sorted(RECIPES.rglob("*.yaml")):
        stage = yaml.safe_load(path.read_text()).get("stage")
        if stage is None:  # of a source or a world; see test_miniature_sources and test_world
            continue
        assert read_recipe(path, stage).stage == stage


def test_overrides_change_the_recipe_and_its_hash(tmp_path: Path) -> None:
    path = write(tmp_path)
    plain = read_recipe(path, "finetune")
    assert plain.learning_rates.llm == 2e-5
    changed = read_recipe(path, "finetune", [("learning_rates.llm", "3e-3"), ("steps", "7")])
    assert (changed.learning_rates.llm, changed.steps) == (3e-3, 7)
    assert plain.digest() != changed.digest()
    assert plain.digest() == read_recipe(path, "finetune").digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"global_bacth": 4}, "did you mean 'global_batch'"),
        ({"global_batch": 0}, "must be 1 or more"),
        ({"warmup": 2}, "warmup = 2"),
        ({"betas": [1, 1]}, "must be less than 1"),
        ({"deepspeed": "../../zero.json"}, "is outside of the recipe's folder"),
        ({"steps": None}, "either steps or epochs"),
        ({"epochs": 1}, "either steps or epochs"),
        ({"learning_rates": {"projector": 1e-3}}, "llm is required in finetune"),
        ({"learning_rates": {"projector": "fast"}}, "is not a number"),
        (
            {"stage": "pretrain", "learning_rates": {"projector": 1}},
            "for pretrain; give one for finetune",
        ),
    ],
)
def test_bad_recipes_say_what_is_wrong(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_recipe(write(tmp_path, **changes), "finetune")


@pytest.mark.parametrize("conversations", [1, 8, 100, 558_128])
@pytest.mark.parametrize("batch", [1, 8, 256])
def test_a_part_of_a_pass_is_a_step_or_refused(conversations: int, batch: int) -> None:
    assert steps_for(558_000, 256, 1) == 2180
    for epochs in (1, 1.5, 3):
        assert steps_for(conversations, batch, epochs) == math.ceil(conversations * epochs / batch)
    for epochs in (1e-9, 1e-3, 0.1, 0.5, 0.99):
        if conversations * epochs >= batch:
            assert steps_for(conversations, batch, epochs) >= 1
        elif conversations * epochs < 0.9 * batch:
            with pytest.raises(UserError, match=f"fewer than the {batch} of one step") as refused:
                steps_for(conversations, batch, epochs)
            advised = str(refused.value).partition("write epochs: ")[2].partition(" ")[0]
            assert steps_for(conversations, batch, float(advised)) <= 2, "rounded"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_the_guard_stops_at_nan_and_infinity(bad: float) -> None:
    with pytest.raises(TrainingStoppedError, match="step 3: the loss is"):
        Guard(2.0).observe(3, bad)
    with pytest.raises(TrainingStoppedError, match="the gradient norm is"):
        Guard(2.0).observe(3, 1.0, bad)


def test_the_guard_stops_a_loss_that_runs_away_also_after_a_restart() -> None:
    guard = Guard(2.0)
    for step in range(30):
        guard.observe(step, 3.0 - step * 0.05)
    guard.observe(31, 9.0)  # one spike is no divergence
    resumed = Guard(2.0)
    resumed.restore(guard.state())
    steps = iter(range(32, 60))
    with pytest.raises(TrainingStoppedError, match="rose from"):
        any(resumed.observe(step, 9.0) for step in steps)
    assert next(steps) < 50


def checkpoint(folder: Path, step: int, run: str = "run") -> Path:
    hidden = folder / ".partial-saving" / f"checkpoint-{step}"
    hidden.mkdir(parents=True)
    (hidden / "weights").write_bytes(bytes(range(100)))
    seal(hidden, folder / f"checkpoint-{step}", run, step, {"wall_s": 1.0})
    return folder / f"checkpoint-{step}"


def test_the_newest_whole_checkpoint_of_the_run_is_found(tmp_path: Path) -> None:
    assert latest(tmp_path, "run") == (None, [])
    for step in (5, 10, 15, 100):
        checkpoint(tmp_path, step)
    checkpoint(tmp_path, 200, run="other")
    (tmp_path / "checkpoint-100" / "weights").write_bytes(bytes(99) + b"x")  # same size
    (tmp_path / "checkpoint-15" / MANIFEST).unlink()
    (tmp_path / ".partial-saving" / "checkpoint-300").mkdir(parents=True)
    found, notes = latest(tmp_path, "run")
    assert found is not None
    assert (found.step, found.progress) == (10, {"wall_s": 1.0})
    assert not (tmp_path / ".partial-saving").exists()
    for text, note in zip(("other settings", "damaged", "no manifest"), notes, strict=True):
        assert text in note


def test_old_checkpoints_are_removed_by_number_not_by_name(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        checkpoint(tmp_path, step)
    remove_old(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == [
        "checkpoint-10",
        "checkpoint-100",
    ]
