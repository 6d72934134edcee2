"""A run that is stopped by a signal and resumed from its checkpoint, for `gpu_acceptance`.

Its losses and weights are those of a run that was not stopped. Sums in kernels of a GPU may have no
fixed order, so the same run is done twice: if both are equal bit by bit, the resumed one must be, too.
"""

from __future__ import annotations

import signal
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from gpu_checks import Check, Result, judged
from gpu_steps import Run, stage_recipe
from paretoken.train.checkpoints import latest
from paretoken.train.recipe import Stage
from paretoken.train.trainer import StageTrainer, trained_tensors
from random_models import Scale

STEPS, STOPPED_AFTER = 6, 2
#: If equal runs differ, the most by which a resumed run's losses and weights may, relative to their
#: size, or a multiple of that difference. In a tiny run on a CPU that lost the optimiser's state, losses
#: were 1.6e-3 apart and weights 9e-5.
LOSSES, WEIGHTS, MULTIPLE = 1e-3, 2e-5, 4
RULE = (
    f"stopped after step {STOPPED_AFTER}; losses of all {STEPS} steps and trained weights are equal bit "
    "by bit to those of a run that was not stopped; if two such runs differ, they are apart by at most "
    f"{LOSSES:g} (losses) and {WEIGHTS:g} (norm of the weights), or {MULTIPLE} times the difference of "
    "those two"
)


class Stop(TrainerCallback):
    """A callback that sends this process the signal of a cluster, once, at the start of a step."""

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Send the signal before the last step that is to be run."""
        if state.global_step == STOPPED_AFTER - 1:
            signal.raise_signal(signal.SIGUSR1)


def checks(scale: Scale) -> list[Check]:
    """Return a check per stage."""
    stages: tuple[Stage, ...] = ("finetune", "pretrain")
    return [Check(stage, partial(resume, scale, stage)) for stage in stages]


def resume(scale: Scale, stage: Stage) -> Result:
    """Return the differences between a resumed run and one that was not stopped."""
    whole, weights = _undisturbed(scale, stage)
    again, weights_again = _undisturbed(scale, stage)
    noise = _apart(whole, again), _weights_apart(weights, weights_again)
    del weights_again
    with tempfile.TemporaryDirectory() as folder:
        run = _run(scale, stage, Path(folder))
        first = run.trainer(1, [Stop()])
        first.train()
        stopped = first.state.global_step
        before = _losses(first)
        del first
        checkpoint, notes = latest(Path(folder), "")
        assert checkpoint is not None, notes
        second = run.trainer(1)
        second.guard.restore(checkpoint.progress["guard"])
        second.train(resume_from_checkpoint=str(checkpoint.path))
        resumed = before | _losses(second)
    found = _apart(whole, resumed), _weights_apart(weights, _weights(second))
    allowed = [max(LOSSES, MULTIPLE * noise[0]), max(WEIGHTS, MULTIPLE * noise[1])]
    close = found[0] <= allowed[0] and found[1] <= allowed[1] if any(noise) else not any(found)
    as_told = stopped == checkpoint.step == STOPPED_AFTER and sorted(resumed) == sorted(whole)
    return judged(
        as_told and close, RULE, stopped_after=stopped, checkpoint=checkpoint.step,
        loss_difference=found[0], weight_difference=found[1],
        loss_difference_of_equal_runs=noise[0], weight_difference_of_equal_runs=noise[1],
        losses=list(whole.values()), resumed_losses=list(resumed.values()),
    )  # fmt: skip


def _run(scale: Scale, stage: Stage, folder: Path) -> Run:
    recipe = stage_recipe(scale, stage, packing=False)
    few = {"steps": STEPS, "save_every": STEPS, "global_batch": min(16, scale.batch)}
    return Run.of(scale, scale.small, recipe.model_copy(update=few), folder)


def _undisturbed(scale: Scale, stage: Stage) -> tuple[dict[int, float], dict[str, Tensor]]:
    with tempfile.TemporaryDirectory() as folder:
        trainer = _run(scale, stage, Path(folder)).trainer(1)
        trainer.train()
    return _losses(trainer), _weights(trainer)


def _losses(trainer: StageTrainer) -> dict[int, float]:
    return {int(entry["step"]): entry["loss"] for entry in trainer.state.log_history if "loss" in entry}


def _weights(trainer: StageTrainer) -> dict[str, Tensor]:
    model: Any = trainer.model
    return {name: value.cpu() for name, value in trained_tensors(model).items()}


def _apart(one: dict[int, float], other: dict[int, float]) -> float:
    """Return the largest difference of two runs' losses, relative to the loss."""
    return max(abs(one[step] - other[step]) / abs(one[step]) for step in one)


def _weights_apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the norm of the difference of two runs' weights, relative to the norm of the weights."""
    apart = sum(float((one[name] - other[name]).double().square().sum()) for name in one)
    whole = sum(float(value.double().square().sum()) for value in one.values())
    return float(torch.tensor(apart / whole).sqrt())
