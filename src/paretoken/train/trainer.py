"""The Hugging Face `Trainer` with this project's order of data, checkpoints and guard."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from paretoken.data.collation import UNREAD, TrainingCollator, Unread
from paretoken.data.order import BatchPlan, MicroBatches
from paretoken.errors import UserError
from paretoken.model_files.pretrained import read_tensors
from paretoken.models.vlm import ParetokenModel
from paretoken.train import checkpoints
from paretoken.train.distributed import gathered, means
from paretoken.train.loss_guard import Guard
from paretoken.train.optimisation import make_optimiser, make_schedule
from paretoken.train.recipe import Recipe
from paretoken.train.speed import Speed, Spent
from paretoken.train.stopping import StopSignal
from paretoken.train.unread import UnreadImages
from paretoken.train.zero import keep_frozen

#: The trained weights in a checkpoint; frozen ones come from their sources again.
TRAINED_FILE = "trained.safetensors"

#: Where the Trainer looks for the schedule of a run under DeepSpeed.
SCHEDULE_FILE = "scheduler.pt"


class Numbers(Dataset[int]):
    """A data set whose items are their own numbers: the collator looks everything up."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> int:
        return number


class GuardCallback(TrainerCallback):
    """Shows each step to the guard before the optimiser changes any weight."""

    def __init__(self, trainer: StageTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Raise `TrainingStoppedError` if the step is bad."""
        self.trainer.observe(state.global_step + 1)


class StageTrainer(Trainer):
    """Trains one stage of one model, alone or as one of several processes.

    Args:
        model: with the parameters frozen that the stage does not train.
        recipe: how to train.
        plan: how the global batch is split.
        order: which conversation stands where, for the whole stage.
        collator: makes the batches.
        folder: for checkpoints.
        run_key: identifies the run.
        spent: what earlier attempts spent.
        arguments: of the Hugging Face Trainer, see `training_arguments`.
        callbacks: for reporting.
        speed: measures, if given.
        unread: takes images that cannot be read; without it, none may be unreadable.

    Attributes:
        stop: whether it was asked to stop.
    """

    def __init__(
        self,
        model: ParetokenModel,
        recipe: Recipe,
        plan: BatchPlan,
        order: NDArray[Any],
        collator: TrainingCollator,
        folder: Path,
        run_key: str,
        spent: Spent,
        arguments: TrainingArguments,
        callbacks: list[TrainerCallback],
        speed: Speed | None = None,
        unread: UnreadImages | None = None,
    ) -> None:
        self.unread = unread or UnreadImages(len(collator.data.image_names), 0.0)
        self._unread_now: list[Unread] = []
        self.plan, self.order, self.collator, self.speed = plan, order, collator, speed
        self.folder, self.run_key, self.recipe, self.spent = folder, run_key, recipe, spent
        self.guard, self.stop = Guard(recipe.divergence), StopSignal()
        self._step_loss: Tensor | float = 0.0
        self._norm: Tensor | float | None = None
        self._saving = False
        if arguments.deepspeed is None:
            nn.Module.to(model, arguments.device)  # DeepSpeed places the model, or its part of it
        measuring = [] if speed is None else [speed]
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=Numbers(len(collator.data)),
            data_collator=collator,
            callbacks=[GuardCallback(self), self.stop, *measuring, *callbacks],
        )
        self.remove_callback(PrinterCallback)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Make the optimiser of the recipe, at the time that the Trainer thinks right."""
        if self.optimizer is None:
            self.optimizer = make_optimiser(cast(ParetokenModel, self.model), self.recipe)
        optimiser: torch.optim.Optimizer = self.optimizer
        return optimiser

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Make the schedule of the recipe."""
        if self.lr_scheduler is None:
            chosen = cast(torch.optim.Optimizer, self.optimizer if optimizer is None else optimizer)
            self.lr_scheduler = make_schedule(chosen, num_training_steps, self.recipe)
            self._created_lr_scheduler = True
        schedule: torch.optim.lr_scheduler.LRScheduler = self.lr_scheduler
        return schedule

    def get_train_dataloader(self) -> DataLoader[int]:
        """Return this device's micro batches in their fixed order."""
        lengths = None if self.collator.packing is None else self.collator.lengths
        workers = self.recipe.workers
        return DataLoader(
            Numbers(len(self.collator.data)),
            batch_sampler=MicroBatches(self.order, self.plan, self.args.process_index, lengths),
            collate_fn=self.collator,
            num_workers=workers,
            pin_memory=self.args.device.type == "cuda",
            persistent_workers=workers > 0,
        )

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Keep from the model what a batch says of images that could not be read."""
        if UNREAD in inputs:
            self._unread_now.append(inputs.pop(UNREAD))
        prepared: dict[str, Any] = super()._prepare_inputs(inputs)
        return prepared

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """Run a micro batch and add its share to the loss of the step."""
        loss: Tensor = super().training_step(*args, **kwargs)
        self._step_loss = self._step_loss + loss
        return loss

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        self._norm = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        return self._norm

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0: FLOPs are counted from the architecture, and counting costs 1 ms a step."""
        return 0

    def observe(self, step: int) -> None:
        """Show the finished accumulation to the guard: the same numbers on all devices."""
        mine = (float(self._step_loss), float(self.stop.seen), float(len(self._unread_now)))
        loss, stopping, unread = means(mine, self.args.device)
        self._step_loss, self.stop.agreed = 0.0, stopping > 0
        if unread:
            self.unread.add([part for parts in gathered(self._unread_now) for part in parts])
            self._unread_now = []
        self.guard.observe(step, loss, None if self._norm is None else float(self._norm))

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the speed to a line of the log."""
        if self.speed is not None and "loss" in logs:
            logs |= self.speed.lap(self.state.global_step)
        super().log(logs, *args, **kwargs)

    def _get_output_dir(self, trial: Any) -> str:
        return str(checkpoints.saving_folder(self.folder) if self._saving else self.folder)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint under a hidden name, seal it, and drop old ones."""
        name = f"{checkpoints.PREFIX}{self.state.global_step}"
        hidden = checkpoints.saving_folder(self.folder)
        self._saving = True
        try:
            if self.args.should_save:
                shutil.rmtree(hidden, ignore_errors=True)
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                progress = {
                    **self.spent.total(), "guard": self.guard.state(), "devices": self.plan.devices,
                    **self.unread.state(),
                }  # fmt: skip
                step = self.state.global_step
                checkpoints.seal(hidden / name, self.folder / name, self.run_key, step, progress)
                checkpoints.remove_old(self.folder, self.recipe.keep_checkpoints)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch reports a full disk so
            raise UserError(
                f"checkpoint {self.folder / name} cannot be written: {error}. "
                "Free some space and start again; earlier checkpoints are kept"
            ) from error
        finally:
            self._saving = False
            if self.args.should_save:
                shutil.rmtree(hidden, ignore_errors=True)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the trained weights into a checkpoint; frozen ones come from their sources."""
        if output_dir is None or self.is_deepspeed_enabled:
            return  # DeepSpeed's part of a checkpoint has the weights in it
        if self.args.should_save:
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            save_file(trained_tensors(self._model()), Path(output_dir) / TRAINED_FILE)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.is_deepspeed_enabled:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        engine, schedule = cast(Any, self.model_wrapped), cast(Any, self.lr_scheduler)
        engine.save_checkpoint(output_dir, exclude_frozen_parameters=True)
        if self.args.should_save:
            torch.save(schedule.state_dict(), Path(output_dir) / SCHEDULE_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Load what `save_model` wrote."""
        tensors = read_tensors(Path(resume_from_checkpoint) / TRAINED_FILE)
        (self._model() if model is None else model).load_state_dict(tensors, strict=False)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train, or continue from a checkpoint without frozen weights."""
        handle = keep_frozen(self._model())
        try:
            with self.stop.listening():
                return super().train(*args, **kwargs)
        finally:
            handle.remove()

    def _model(self) -> nn.Module:
        model: Any = self.model
        return cast(nn.Module, model)


def trained_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that learn, by name; tied ones once."""
    return {
        name: parameter.detach().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
