"""The Hugging Face `Trainer` with this project's data order, checkpoints and loss guard."""

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
from paretoken.train.shortage import is_shortage
from paretoken.train.speed import Speed, Spent
from paretoken.train.stopping import StopSignal
from paretoken.train.unread import UnreadImages
from paretoken.train.zero import keep_frozen

#: File of a checkpoint with the trained weights; frozen ones are loaded from their sources.
TRAINED_FILE = "trained.safetensors"

#: File from which the Trainer loads the schedule of a run with DeepSpeed.
SCHEDULE_FILE = "scheduler.pt"


class RowNumbers(Dataset[int]):
    """A data set whose items are their own indices: the collator looks up the rest."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> int:
        return number


class GuardCallback(TrainerCallback):
    """A callback that checks each step before the optimiser changes any weight."""

    def __init__(self, trainer: StageTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Raise `TrainingStoppedError` if the loss or gradient of the step is bad."""
        self.trainer.observe(state.global_step + 1)


class StageTrainer(Trainer):
    """Trains one stage of one model, alone or as one of several processes.

    Args:
        model: the model; parameters that the stage does not train are frozen.
        recipe: how to train.
        plan: how the global batch is split.
        order: indices of the conversations of the whole stage, in the order of training.
        collator: makes the batches.
        folder: folder of the checkpoints.
        run_key: identifies the run.
        spent: time that earlier attempts spent.
        arguments: arguments of the Hugging Face Trainer, see `training_arguments`.
        callbacks: callbacks that report progress.
        speed: callback that measures the speed; None: it is not measured.
        unread: collects unreadable images; None: an unreadable image is an error.

    Attributes:
        stop: callback that stops training after a signal.
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
            train_dataset=RowNumbers(len(collator.data)),
            data_collator=collator,
            callbacks=[GuardCallback(self), self.stop, *measuring, *callbacks],
        )
        self.remove_callback(PrinterCallback)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Create the optimiser of the recipe; called by the Trainer."""
        if self.optimizer is None:
            self.optimizer = make_optimiser(cast(ParetokenModel, self.model), self.recipe)
        optimiser: torch.optim.Optimizer = self.optimizer
        return optimiser

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Create the schedule of the recipe; called by the Trainer."""
        if self.lr_scheduler is None:
            chosen = cast(torch.optim.Optimizer, self.optimizer if optimizer is None else optimizer)
            self.lr_scheduler = make_schedule(chosen, num_training_steps, self.recipe)
            self._created_lr_scheduler = True
        schedule: torch.optim.lr_scheduler.LRScheduler = self.lr_scheduler
        return schedule

    def get_train_dataloader(self) -> DataLoader[int]:
        """Return the loader of this device's micro batches, in their fixed order."""
        lengths = None if self.collator.packing is None else self.collator.lengths
        workers = self.recipe.workers
        return DataLoader(
            RowNumbers(len(self.collator.data)),
            batch_sampler=MicroBatches(self.order, self.plan, self.args.process_index, lengths),
            collate_fn=self.collator,
            num_workers=workers,
            pin_memory=self.args.device.type == "cuda",
            persistent_workers=workers > 0,
        )

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Remove the entry about unreadable images, which the model does not take, and store it."""
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
        """Return 0: FLOPs are counted from the architecture, and counting here takes 1 ms per step."""
        return 0

    def observe(self, step: int) -> None:
        """Pass the loss of a step, averaged over all processes, to the guard."""
        mine = (float(self._step_loss), float(self.stop.seen), float(len(self._unread_now)))
        loss, stopping, unread = means(mine, self.args.device)
        self._step_loss, self.stop.agreed = 0.0, stopping > 0
        if unread:
            self.unread.add([part for parts in gathered(self._unread_now) for part in parts])
            self._unread_now = []
        self.guard.observe(step, loss, None if self._norm is None else float(self._norm))

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log, with the speed added to lines that have a loss."""
        if self.speed is not None and "loss" in logs:
            logs |= self.speed.lap(self.state.global_step)
        super().log(logs, *args, **kwargs)

    def _get_output_dir(self, trial: Any) -> str:
        return str(checkpoints.saving_folder(self.folder) if self._saving else self.folder)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint under a hidden name, seal it, and remove old ones."""
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
                    **self.spent.total(),
                    "guard": self.guard.state(),
                    "devices": self.plan.devices,
                    **self.unread.state(),
                }
                step = self.state.global_step
                checkpoints.seal(hidden / name, self.folder / name, self.run_key, step, progress)
                checkpoints.remove_old(self.folder, self.recipe.keep_checkpoints)
        except (OSError, RuntimeError, SafetensorError) as error:  # torch raises these for a full disk
            if is_shortage(error):
                raise
            raise UserError(
                f"checkpoint {self.folder / name} cannot be written: {error}. "
                "Free disk space and start again; earlier checkpoints are kept"
            ) from error
        finally:
            self._saving = False
            if self.args.should_save:
                shutil.rmtree(hidden, ignore_errors=True)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the trained weights into a checkpoint."""
        if output_dir is None or self.is_deepspeed_enabled:
            return  # DeepSpeed's files of a checkpoint include the weights
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
        """Train, or resume from a checkpoint, which has no frozen weights."""
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
    """Return the trained parameters by name; a tied parameter appears once."""
    return {
        name: parameter.detach().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
