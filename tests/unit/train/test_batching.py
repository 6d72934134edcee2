"""Micro batches from memory, and what happens when it runs out."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from paretoken.costs.activation_memory import ActivationCost, Bytes
from paretoken.data.collation import TrainingCollator
from paretoken.data.encoded import read_encoded
from paretoken.data.features import FeatureStore
from paretoken.data.order import data_order
from paretoken.errors import UserError
from paretoken.models.assemble import Choice
from paretoken.train import stage as stage_module
from paretoken.train.batching import largest_plan
from paretoken.train.recipe import Recipe, read_recipe
from paretoken.train.shortage import Shortage, read_shortage
from paretoken.train.stage import StageInputs, run_stage
from paretoken.train.trainer import StageTrainer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tiny.save_prepared_world(tmp_path_factory.mktemp("world"))


def inputs(world: Path, out: Path) -> StageInputs:
    return StageInputs(
        llm=world / "llm", vision=world / "vision", data=world / "tokens", out=out,
        choice=Choice("average_pool", 4), seed=0, features=world / "features",
    )  # fmt: skip


def recipe(world: Path, **changes: Any) -> Recipe:
    return read_recipe(world / "pretrain.yaml", "pretrain", [(k, str(v)) for k, v in changes.items()])


def collator_of(world: Path, packing: Any = None) -> TrainingCollator:
    return TrainingCollator(
        read_encoded(world / "tokens"), FeatureStore(world / "features"), 4, 0, 96, packing
    )


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("devices", [1, 2])
def test_the_largest_micro_batch_that_fits_is_chosen(world: Path, packing: bool, devices: int) -> None:
    collator = collator_of(world, "rows" if packing else None)
    order = data_order(collator.lengths, 20, 8, 0, by_length=not packing)
    cost = ActivationCost(0.0, Bytes(), Bytes(per_token=1.0), Bytes())
    r = recipe(world, micro_batch="auto", packing=packing)
    longest = int(collator.lengths.max())
    sizes = []
    for room in (longest, 2 * longest, 4 * longest, 1000 * longest):
        plan = largest_plan(r, collator, order, devices, cost, room)
        assert plan.global_batch == 8
        assert plan.devices == devices
        sizes.append(plan.micro_batch)
    assert sizes[0] >= 1
    assert sizes == sorted(sizes)
    assert sizes[-1] == 8 // devices
    assert sizes[1] >= 2
    with pytest.raises(UserError, match=r"a conversation of \d+ tokens needs"):
        largest_plan(r, collator, order, devices, cost, longest - 1)


def test_packing_lets_more_conversations_into_the_same_memory(world: Path) -> None:
    cost = ActivationCost(0.0, Bytes(), Bytes(per_token=1.0), Bytes())
    plans = {}
    for packing in (False, True):
        collator = collator_of(world, "rows" if packing else None)
        collator.showings = collator.showings.copy()
        collator.showings[::6] = 90  # a few are long
        collator.lengths = collator.showings.sum(1)
        order = data_order(collator.lengths, 20, 8, 0, by_length=False)
        r = recipe(world, micro_batch="auto", packing=packing)
        plans[packing] = largest_plan(r, collator, order, 1, cost, 200.0)
    assert plans[True].accumulation < plans[False].accumulation


def test_a_budget_decides_and_the_result_does_not_change(world: Path, tmp_path: Path) -> None:
    # Weights, gradients and optimiser of this model need 0.4 MiB; a conversation some 0.1 MiB.
    losses = {}
    for budget in ("0.0006", "0.01"):
        r = recipe(world, micro_batch="auto", memory_gib=budget, packing=True, steps=5)
        record = run_stage(inputs(world, tmp_path / budget), r)
        losses[record["batch"]["accumulation"]] = record["loss"]
    assert len(losses) == 2
    assert 1 in losses  # the larger budget holds a whole global batch
    first, second = losses.values()
    assert first == [[step, pytest.approx(loss, rel=1e-5)] for step, loss in second]


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 2e-3)])
def test_one_micro_batch_or_eight_of_one_train_alike(
    world: Path, tmp_path: Path, precision: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without DeepSpeed gradients are summed in fp32, the type of the trained weights, in bf16 too."""
    observe, types = StageTrainer.observe, set()

    def watch(self: StageTrainer, step: int) -> None:
        types.update(p.grad.dtype for p in self._model().parameters() if p.grad is not None)
        observe(self, step)

    monkeypatch.setattr(StageTrainer, "observe", watch)
    losses = []
    for micro_batch in (1, 8):
        changes = {"micro_batch": micro_batch, "precision": precision, "steps": 4, "log_every": 1}
        settings = [(key, str(value)) for key, value in changes.items()]
        blind = StageInputs(
            world / "llm", world / "vision", world / "tokens", tmp_path / str(micro_batch),
            Choice("average_pool", 0), 0,
        )  # fmt: skip
        record = run_stage(blind, read_recipe(world / "finetune.yaml", "finetune", settings))
        assert record["batch"]["accumulation"] == 8 // micro_batch
        losses.append([loss for _, loss in record["loss"]])
    assert types == {torch.float32}
    assert losses[0][-1] < losses[0][0]
    assert losses[0] == pytest.approx(losses[1], rel=tolerance)


def test_auto_on_a_cpu_requires_a_budget(world: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU, whose free memory is the budget")
    with pytest.raises(UserError, match="micro_batch: auto needs a GPU, or memory_gib"):
        run_stage(inputs(world, tmp_path), recipe(world, micro_batch="auto"))
    with pytest.raises(UserError, match="weights, gradients and optimiser need"):
        run_stage(inputs(world, tmp_path), recipe(world, micro_batch="auto", memory_gib=1e-6))


def run_out_of_memory_above(monkeypatch: pytest.MonkeyPatch, rows: int, from_step: int = 0) -> list[int]:
    """Let training fail as CUDA does when a micro batch has more than ``rows`` rows."""
    step, seen = StageTrainer.training_step, []

    def limited(self: StageTrainer, model: Any, batch: dict[str, Any], *args: Any) -> torch.Tensor:
        seen.append(len(batch["input_ids"]))
        if seen[-1] > rows and self.state.global_step >= from_step:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return step(self, model, batch, *args)

    monkeypatch.setattr(StageTrainer, "training_step", limited)
    return seen


def test_out_of_memory_halves_the_micro_batch_and_not_the_global_one(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    r = recipe(world, micro_batch=8, log_every=1, save_every=4, steps=10)
    whole = run_stage(inputs(world, tmp_path / "whole"), r)
    seen, said = run_out_of_memory_above(monkeypatch, 2, from_step=6), []
    build, built = stage_module.build_model, []

    def build_one_at_a_time(*args: Any) -> Any:
        assert all(earlier() is None for earlier in built)  # else it would still take its memory
        model = build(*args)
        built.append(weakref.ref(model))
        return model

    monkeypatch.setattr(stage_module, "build_model", build_one_at_a_time)
    record = run_stage(inputs(world, tmp_path / "short"), r, said.append)
    assert said[1:] == [
        "memory ran out with micro batches of 8; continuing with 4",
        "memory ran out with micro batches of 4; continuing with 2",
    ]
    assert record["batch"] == {"global_batch": 8, "micro_batch": 2, "accumulation": 4, "devices": 1}
    assert record["memory_ran_out_with"] == [8, 4]
    assert whole["memory_ran_out_with"] == []
    assert len(built) == 3
    assert seen == [8] * 7 + [4] * 5 + [2] * 4 * 6  # from the checkpoint of step 4 each time
    assert record["loss"] == [[step, pytest.approx(loss, rel=1e-5)] for step, loss in whole["loss"]]


def test_several_processes_start_again_with_the_smaller_micro_batch(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_of_memory_above(monkeypatch, 2)
    monkeypatch.setattr("paretoken.train.stage.processes", lambda: 2)
    with pytest.raises(UserError, match="the same command continues with 2"):
        run_stage(inputs(world, tmp_path), recipe(world, micro_batch=4))
    assert read_shortage(tmp_path / "checkpoints") == Shortage(2, (4,))
    monkeypatch.setattr("paretoken.train.stage.processes", lambda: 1)
    record = run_stage(inputs(world, tmp_path), recipe(world, micro_batch=4))
    assert record["batch"]["micro_batch"] == 2
    assert record["memory_ran_out_with"] == [4]


def test_one_conversation_that_does_not_fit_is_reported(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_of_memory_above(monkeypatch, 0)
    with pytest.raises(UserError, match="ran out with one conversation at a time; set gradient_check"):
        run_stage(inputs(world, tmp_path), recipe(world, micro_batch=2))


def test_a_lack_of_host_memory_is_passed_on(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (MemoryError("host"), RuntimeError("DefaultCPUAllocator: can't allocate memory")):

        def fail(*_: Any, error: Exception = error) -> torch.Tensor:
            raise error

        monkeypatch.setattr(StageTrainer, "training_step", fail)
        with pytest.raises(type(error), match=str(error)):
            run_stage(inputs(world, tmp_path), recipe(world, micro_batch=4))
        assert read_shortage(tmp_path / "checkpoints") is None
