"""Stages in one process, on a tiny world."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import tiny
from paretoken.errors import UserError
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.questions import Question
from paretoken.models.assemble import Choice
from paretoken.train import trainer as trainer_module
from paretoken.train.optimisation import rate_at
from paretoken.train.restarts import STARTS
from paretoken.train.stage import StageInputs, run_stage
from stages import recipe

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture
def world(tiny_world: Path) -> Path:
    return tiny_world


def inputs(world: Path, out: Path, tokens: int = 4, **changes: Any) -> StageInputs:
    made = StageInputs(
        llm=world / "llm", vision=world / "vision", data=world / "tokens", out=out,
        choice=Choice("average_pool", tokens), seed=0, features=world / "features",
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def weights(out: Path) -> dict[str, torch.Tensor]:
    found = [*out.glob("adapter/adapter.safetensors"), *out.glob("model/model.safetensors")]
    return load_file(found[0])


def test_two_stages_learn_and_write_their_records(world: Path, tmp_path: Path) -> None:
    first = run_stage(inputs(world, tmp_path / "1"), recipe(world, "pretrain"))
    second = run_stage(
        inputs(world, tmp_path / "2", adapter=tmp_path / "1" / "adapter"), recipe(world, "finetune")
    )
    assert second["loss"][-1][1] < 0.7 * first["loss"][0][1]
    before, after = weights(tmp_path / "1"), weights(tmp_path / "2")
    assert not torch.equal(before["projector.expand.weight"], after["projector.expand.weight"])
    source = load_file(world / "vision" / "model.safetensors")
    name = next(name for name in source if name.endswith("patch_embedding.weight"))
    mine = next(name for name in after if name.endswith("patch_embedding.weight"))
    assert torch.equal(source[name], after[mine])  # the encoder is stored and was never trained
    record = json.loads((tmp_path / "2" / "run.json").read_text())
    assert record == second
    assert record["steps"] == 20
    assert record["conversations"] == 160
    assert record["batch"] == {"global_batch": 8, "micro_batch": 4, "accumulation": 2, "devices": 1}
    for key in ("recipe_hash", "git", "versions", "device", "seed", "tokens", "training_flops",
                "wall_s", "cpu_s", "peak_memory", "parameters"):  # fmt: skip
        assert record[key] or key == "seed"
    llm = load_file(world / "llm" / "model.safetensors")
    assert record["parameters"]["llm_total"] == sum(t.numel() for t in llm.values())


def test_stage_one_leaves_the_language_model_alone(world: Path, tmp_path: Path) -> None:
    run_stage(inputs(world, tmp_path), recipe(world, "pretrain"))
    assert {name.split(".")[0] for name in weights(tmp_path)} == {"projector"}


def test_the_micro_batch_does_not_change_the_result(world: Path, tmp_path: Path) -> None:
    for micro in (8, 2):
        run_stage(inputs(world, tmp_path / str(micro)), recipe(world, "pretrain", micro_batch=micro))
    large, small = weights(tmp_path / "8"), weights(tmp_path / "2")
    for name in large:
        torch.testing.assert_close(large[name], small[name], atol=1e-4, rtol=1e-4)


def test_images_encoded_while_training_equal_stored_features(world: Path, tmp_path: Path) -> None:
    run_stage(inputs(world, tmp_path / "stored"), recipe(world, "pretrain", steps=5))
    online = inputs(world, tmp_path / "online", features=None, images=world / "images", aspect="crop")
    run_stage(online, recipe(world, "pretrain", steps=5))
    stored, made = weights(tmp_path / "stored"), weights(tmp_path / "online")
    for name in stored:  # features are stored with 11 bits
        torch.testing.assert_close(stored[name], made[name], atol=5e-3, rtol=5e-2)


def test_the_blind_control_trains_the_language_model_only(world: Path, tmp_path: Path) -> None:
    blind = inputs(world, tmp_path / "1", tokens=0, features=None)
    assert run_stage(blind, recipe(world, "pretrain"), lambda _: None)["steps"] == 0
    record = run_stage(inputs(world, tmp_path / "2", tokens=0, features=None), recipe(world, "finetune"))
    assert record["loss"][-1][1] < record["loss"][0][1]
    assert not any(name.startswith(("projector", "compressor")) for name in weights(tmp_path / "2"))
    asked = [Question("1", "0.png", "what colour is it ?", ("red",))]
    answer = open_predictor(tmp_path / "2" / "model").answer(asked)[0].text
    assert answer in tiny.COLOURS  # it guesses, without seeing the image


def test_a_nan_loss_stops_training_and_keeps_the_checkpoint(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = trainer_module.StageTrainer.observe

    def poison(self: Any, step: int) -> None:
        if step == 13:
            self._step_loss = float("nan")
        observe(self, step)

    monkeypatch.setattr(trainer_module.StageTrainer, "observe", poison)
    with pytest.raises(UserError, match="stopped at step 13: the loss is nan"):
        run_stage(inputs(world, tmp_path), recipe(world, "pretrain"))
    assert (tmp_path / "checkpoints" / "checkpoint-10" / "manifest.json").exists()
    assert not (tmp_path / "run.json").exists()
    assert not (tmp_path / "adapter").exists()
    monkeypatch.undo()
    said: list[str] = []
    record = run_stage(inputs(world, tmp_path), recipe(world, "pretrain"), said.append)
    assert record["steps"] == 20


def test_a_full_disk_leaves_no_checkpoint_under_a_final_name(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer_module.StageTrainer, "_save_optimizer_and_scheduler", full)
    with pytest.raises(UserError, match=r"checkpoint-5 cannot be written.*No space left"):
        run_stage(inputs(world, tmp_path), recipe(world, "pretrain"))
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": None}, "give --features or --images"),
        ({"choice": Choice("average_pool", 7)}, "cannot make 7 tokens"),
        ({"choice": Choice("average_pool", 4, layers=(1,))}, r"needs the encoder layers \[1\]"),
        ({"data": Path("nowhere")}, "not a tokenized data set"),
        ({"llm": Path("nowhere")}, "holds no weights"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    world: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run_stage(inputs(world, tmp_path, **changes), recipe(world, "pretrain"))


def test_finetune_needs_stage_one(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="finetune needs --adapter"):
        run_stage(inputs(world, tmp_path), recipe(world, "finetune"))


def test_the_schedule_rises_then_follows_a_cosine(world: Path) -> None:
    r = recipe(world, "pretrain", warmup=0.1)
    rates = [rate_at(step, 100, r) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)


def test_bf16_learns_and_is_stored_in_bf16(world: Path, tmp_path: Path) -> None:
    first = run_stage(inputs(world, tmp_path / "1"), recipe(world, "pretrain", precision="bf16"))
    assert {t.dtype for t in weights(tmp_path / "1").values()} == {torch.float32}
    second = run_stage(
        inputs(world, tmp_path / "2", adapter=tmp_path / "1" / "adapter"),
        recipe(world, "finetune", precision="bf16"),
    )
    assert second["loss"][-1][1] < 0.7 * first["loss"][0][1]
    assert {t.dtype for t in weights(tmp_path / "2").values()} == {torch.bfloat16}


def test_gradient_checkpointing_changes_no_result(world: Path, tmp_path: Path) -> None:
    for on in (False, True):
        run_stage(
            inputs(world, tmp_path / str(on)),
            recipe(world, "pretrain", steps=5, gradient_checkpointing=on),
        )
    plain, less_memory = weights(tmp_path / "False"), weights(tmp_path / "True")
    for name in plain:
        torch.testing.assert_close(plain[name], less_memory[name])


def test_tensorboard_files_hold_the_losses(world: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = run_stage(inputs(world, tmp_path), recipe(world, "pretrain", tensorboard=True))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    stored = [[event.step, event.value] for event in events.Scalars("train/loss")]
    assert stored == [[step, pytest.approx(loss)] for step, loss in record["loss"]]


class PreemptedError(Exception):
    """Stands for SLURM, which ends the process."""


def preempt(*_: object, **__: object) -> None:
    raise PreemptedError


def test_a_stage_that_slurm_starts_in_vain_ends_with_what_to_change(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(trainer_module.StageTrainer, "train", preempt)
    for restart in range(3):
        monkeypatch.setenv("SLURM_RESTART_COUNT", str(restart))
        with pytest.raises(PreemptedError):
            run_stage(inputs(world, tmp_path), recipe(world, "pretrain"))
    monkeypatch.setenv("SLURM_RESTART_COUNT", "3")
    with pytest.raises(UserError, match=r"3 starts of SLURM job 7 in a row have begun at step 0"):
        run_stage(inputs(world, tmp_path), recipe(world, "pretrain"))
    monkeypatch.undo()
    run_stage(inputs(world, tmp_path), recipe(world, "pretrain"))
    assert not (tmp_path / STARTS).exists()
