"""The Hugging Face `Trainer` with this project's order of data, checkpoints and guard."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, fields
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

from paretoken.data.collation import TrainingCollator
from paretoken.data.order import BatchPlan, MicroBatches
from paretoken.errors import UserError
from paretoken.models.vlm import ParetokenModel
from paretoken.pretrained import read_tensors
from paretoken.train import checkpoints
from paretoken.train.guard import Guard
from paretoken.train.optimisation import make_optimiser, make_schedule
from paretoken.train.recipe import Recipe

#: The trained weights in a checkpoint; frozen ones come from their sources again.
TRAINED_FILE = "trained.safetensors"


class Numbers(Dataset[int]):
    """A data set whose items are their own numbers: the collator looks everything up."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> int:
        return number


@dataclass
class Spent:
    """Seconds spent on a run, those of killed predecessors included."""

    wall: float = 0.0
    cpu: float = 0.0

    def __post_init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def total(self) -> dict[str, float]:
        """Return wall and CPU seconds up to now."""
        return {
            "wall_s": self.wall + time.monotonic() - self._wall,
            "cpu_s": self.cpu + time.process_time() - self._cpu,
        }


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
    """Trains one stage of one model.

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
    ) -> None:
        self.plan, self.order, self.collator = plan, order, collator
        self.folder, self.run_key, self.recipe, self.spent = folder, run_key, recipe, spent
        self.guard = Guard(recipe.divergence)
        self._step_loss: Tensor | float = 0.0
        self._norm: Tensor | float | None = None
        self._saving = False
        nn.Module.to(model, arguments.device)
        optimiser = make_optimiser(model, recipe)
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=Numbers(len(collator.data)),
            data_collator=collator,
            optimizers=(optimiser, make_schedule(optimiser, arguments.max_steps, recipe)),
            callbacks=[GuardCallback(self), *callbacks],
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[int]:
        """Return the micro batches in their fixed order, shared out among the devices."""
        workers = self.recipe.workers
        loader = DataLoader(
            Numbers(len(self.collator.data)),
            batch_sampler=MicroBatches(self.order, self.plan.micro_batch),
            collate_fn=self.collator,
            num_workers=workers,
            pin_memory=self.args.device.type == "cuda",
        )
        prepared: DataLoader[int] = self.accelerator.prepare(loader)
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
        """Show the finished accumulation to the guard."""
        loss, self._step_loss = float(self._step_loss), 0.0
        self.guard.observe(step, loss, None if self._norm is None else float(self._norm))

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.folder / checkpoints.SAVING if self._saving else self.folder)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint under a hidden name, seal it, and drop old ones."""
        name = f"{checkpoints.PREFIX}{self.state.global_step}"
        hidden = self.folder / checkpoints.SAVING
        self._saving = True
        try:
            if self.args.should_save:
                shutil.rmtree(hidden, ignore_errors=True)
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                progress = {**self.spent.total(), "guard": self.guard.state()}
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
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            super().save_model(output_dir, _internal_call)
        elif self.args.should_save and output_dir is not None:
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            save_file(trained_tensors(self._model()), Path(output_dir) / TRAINED_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Load what `save_model` wrote."""
        tensors = read_tensors(Path(resume_from_checkpoint) / TRAINED_FILE)
        (self._model() if model is None else model).load_state_dict(tensors, strict=False)

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


def training_arguments(
    recipe: Recipe, plan: BatchPlan, steps: int, folder: Path, seed: int, deepspeed: Path | None
) -> TrainingArguments:
    """Translate a recipe for the Hugging Face Trainer."""
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=plan.micro_batch,
        gradient_accumulation_steps=plan.accumulation,
        learning_rate=recipe.learning_rates.projector,
        max_grad_norm=recipe.clip,
        bf16=recipe.precision == "bf16",
        **_checkpointing(recipe),
        dataloader_num_workers=recipe.workers,
        save_strategy="steps",
        save_steps=recipe.save_every,
        logging_steps=recipe.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # a NaN must reach the guard, not be averaged away
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        seed=seed,
        data_seed=seed,
        use_cpu=not torch.cuda.is_available(),
        deepspeed=None if deepspeed is None else str(deepspeed),
    )


def _checkpointing(recipe: Recipe) -> dict[str, Any]:
    """Ask for gradient checkpointing under the name that this version of `transformers` has."""
    if not recipe.gradient_checkpointing:
        return {}
    known = {field.name for field in fields(TrainingArguments)}
    new = "activation_checkpointing"
    return {new if new in known else "gradient_checkpointing": True}
