"""Running one stage of one cell, from its sources to ``run.json``; a killed run is resumed."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TrainerCallback

from paretoken.compressors.reach import require_all_tokens
from paretoken.compressors.specification import specification
from paretoken.data.collation import TrainingCollator
from paretoken.data.encoded import read_encoded
from paretoken.data.order import BatchPlan, data_order
from paretoken.errors import StoppedEarlyError, UserError
from paretoken.io.files import read_json
from paretoken.io.finished import RUN_FILE
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.vision import read_vision_config
from paretoken.models.vlm import ParetokenModel
from paretoken.train.attention import attention_note, packing_of
from paretoken.train.batching import choose_plan, halve
from paretoken.train.checkpoints import CHECKPOINTS, Checkpoint, latest
from paretoken.train.distributed import (
    forget_group,
    from_main,
    process_group,
    processes,
    rank,
    wait_for_all,
)
from paretoken.train.inputs import (
    StageInputs,
    build_model,
    open_visual,
    pad_id_of,
    plan_model,
    run_key,
    source_hashes,
)
from paretoken.train.recipe import Recipe
from paretoken.train.reporting import PlainLines, TensorBoard
from paretoken.train.restarts import STARTS, require_progress
from paretoken.train.run_record import write_run
from paretoken.train.selection import Selection, select
from paretoken.train.shortage import is_shortage, read_shortage
from paretoken.train.showings import shown_counts
from paretoken.train.speed import Speed, Spent, StepWork
from paretoken.train.spending import spending, step_work
from paretoken.train.stop_note import forget_stop, note_stop
from paretoken.train.store import store
from paretoken.train.trainer import StageTrainer
from paretoken.train.trainer_arguments import training_arguments
from paretoken.train.unread import UnreadImages
from paretoken.train.zero import gather_parameters, prepare_deepspeed, read_zero, require_same_split

__all__ = ["StageInputs", "run_key", "run_stage"]

#: From this stage of ZeRO on, weights are partitioned, and all devices must take part in each pass.
PARTITIONED_WEIGHTS = 3

TENSORBOARD = "tensorboard"


def run_stage(inputs: StageInputs, recipe: Recipe, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Train a stage, write its result and return its record.

    Writes ``<out>/adapter`` (pretrain) or ``<out>/model`` (finetune), then ``<out>/run.json``. Only the
    first of several processes returns the record; the others return an empty dict.

    Args:
        inputs: inputs and output folder.
        recipe: how to train.
        say: prints a message; only the first process calls it.

    Raises:
        UserError: an input is missing or does not fit the others, or training was stopped.
    """
    say = say if rank() == 0 else _silent
    zero = None if inputs.deepspeed is None else read_zero(inputs.deepspeed)
    vision = read_vision_config(inputs.vision)
    data = read_encoded(inputs.data)
    sources = source_hashes(inputs)
    key = run_key(inputs, recipe, data, sources)
    finished = inputs.out / RUN_FILE
    if finished.exists():
        return _already_done(finished, key, say)
    visual, layers = open_visual(inputs, vision, sources["vision"])
    config = plan_model(inputs, recipe, data, vision, layers, sources)
    if note := attention_note(recipe, config.text_config):
        say(note)
    collator = TrainingCollator(
        data,
        visual,
        inputs.choice.tokens,
        pad_id_of(config),
        recipe.max_length,
        packing_of(recipe, config.text_config),
        _counts(config, recipe, len(data), inputs.seed),
        ask=specification(inputs.choice.compressor).reads_text,
    )
    selection = select(collator, inputs.data, inputs.max_bad_share, say)
    job = Job(
        inputs,
        recipe,
        selection,
        key,
        sources,
        zero,
        say,
        lambda: build_model(inputs, recipe, vision, data, visual, layers),
    )
    with process_group(even_alone=zero is not None):
        models = [job.build()]
        if not any(parameter.requires_grad for parameter in models[0].parameters()):
            say("nothing to train in this stage")  # the blind control has no projector
            outcome = Outcome(models[0], np.zeros(0, np.int64), 0, [], None, Spent())
        else:
            outcome = _until_it_fits(job, models, collator)
        gather_parameters(outcome.model)
    if rank():
        return {}
    store(outcome.model, inputs, recipe, sources)
    record = write_run(inputs.out, _record(job, collator, outcome))
    shutil.rmtree(inputs.out / CHECKPOINTS, ignore_errors=True)
    (inputs.out / STARTS).unlink(missing_ok=True)
    return record


@dataclass(frozen=True)
class Job:
    """A stage to run; ``build`` returns a new model and can be called repeatedly."""

    inputs: StageInputs
    recipe: Recipe
    selection: Selection
    key: str
    sources: dict[str, str]
    zero: dict[str, Any] | None
    say: Callable[[str], None]
    build: Callable[[], ParetokenModel]

    @property
    def zero_stage(self) -> int:
        """The stage of ZeRO; 0 without DeepSpeed."""
        return 0 if self.zero is None else int(self.zero["zero_optimization"]["stage"])


@dataclass(frozen=True)
class Outcome:
    """The result of training: the model, its conversations, losses, time and speed."""

    model: ParetokenModel
    order: NDArray[np.int64]
    steps: int
    loss: list[list[float]]
    plan: BatchPlan | None
    spent: Spent
    work: StepWork | None = None
    throughput: dict[str, Any] | None = None
    unread: UnreadImages | None = None


def _until_it_fits(job: Job, models: list[ParetokenModel], collator: TrainingCollator) -> Outcome:
    """Train; if a device's memory runs out, resume from the last checkpoint with half the micro batch.

    Args:
        job: the stage to run.
        models: a list with the model, which is removed from it: another reference would keep it in the
            memory that the next attempt needs.
        collator: makes the batches.

    Raises:
        UserError: not even one conversation fits, or several processes train: the others wait for
            the one whose memory ran out, so all must be started again.
    """
    model = models.pop()
    recipe, folder = job.recipe, job.inputs.out / CHECKPOINTS
    numbers, devices = job.selection.numbers, processes()
    steps = recipe.steps_of(len(numbers))
    lengths, seed = collator.lengths[numbers], job.inputs.seed
    order = numbers[data_order(lengths, steps, recipe.global_batch, seed, recipe.by_length)]
    while True:
        plan = choose_plan(recipe, model, collator, order, devices, job.zero_stage, folder)
        try:
            return _train(job, model, collator, order, steps, plan)
        except RuntimeError as error:
            if not is_shortage(error):
                raise
            smaller = halve(plan, folder)
        if devices > 1:
            raise UserError(
                f"a device's memory ran out with micro batches of {plan.micro_batch}; the same command "
                f"continues with {smaller}, and `paretoken launch` starts it again by itself"
            )
        job.say(f"memory ran out with micro batches of {plan.micro_batch}; continuing with {smaller}")
        del model
        gc.collect()
        torch.cuda.empty_cache()
        forget_group()
        model = job.build()


def _train(
    job: Job,
    model: ParetokenModel,
    collator: TrainingCollator,
    order: NDArray[np.int64],
    steps: int,
    plan: BatchPlan,
) -> Outcome:
    """Train from the start, or resume from the newest valid checkpoint of the same run."""
    inputs, recipe, folder = job.inputs, job.recipe, job.inputs.out / CHECKPOINTS
    checkpoint, notes = from_main(lambda: latest(folder, job.key))
    for note in notes:
        job.say(note)
    if job.zero is not None:
        prepare_deepspeed()
        require_same_split(checkpoint, plan.devices)
    spent = _spent(checkpoint)
    unread = UnreadImages(len(collator.data.image_names), inputs.max_bad_share)
    arguments = training_arguments(recipe, plan, steps, folder, inputs.seed, job.zero)
    work = step_work(model, collator, order, steps, recipe.stage, inputs.features is None)
    speed = Speed(work, plan.devices)
    if recipe.stage == "pretrain" and job.zero_stage < PARTITIONED_WEIGHTS:
        model.question_cache = {}  # the language model is frozen: read each question once
    trainer = StageTrainer(
        model, recipe, plan, order, collator, folder, job.key, spent, arguments,
        _callbacks(recipe, inputs.out), speed, unread,
    )  # fmt: skip
    if checkpoint is not None:
        trainer.guard.restore(checkpoint.progress["guard"])
        unread.restore(checkpoint.progress)
    if rank() == 0:
        require_progress(inputs.out, 0 if checkpoint is None else checkpoint.step)
        forget_stop(inputs.out)
    trainer.train(resume_from_checkpoint=str(checkpoint.path) if checkpoint else None)
    _leave_if_stopped(trainer, inputs.out)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    loss = [[entry["step"], entry["loss"]] for entry in logged]
    return Outcome(model, order, steps, loss, plan, spent, work, speed.summary(), unread)


def _leave_if_stopped(trainer: StageTrainer, out: Path) -> None:
    """Raise `StoppedEarlyError` in all processes if training was stopped before its last step."""
    step, steps = trainer.state.global_step, trainer.state.max_steps
    if step >= steps:
        return
    if rank() == 0:
        note_stop(out, step, steps)
    wait_for_all()
    raise StoppedEarlyError(f"stopped by a signal at step {step} of {steps}; the same command continues")


def _counts(
    config: ParetokenConfig, recipe: Recipe, conversations: int, seed: int
) -> NDArray[np.int64] | None:
    """Return the token counts with which an elastic model is trained; None for other models."""
    if specification(config.compressor).elastic is None:
        return None
    require_all_tokens(config.compressor, config.grid_side, config.visual_tokens)
    return shown_counts(
        config.compressor, config.grid_side, config.visual_tokens, recipe.stage, conversations, seed
    )


def _spent(checkpoint: Checkpoint | None) -> Spent:
    progress = checkpoint.progress if checkpoint else {"wall_s": 0.0, "cpu_s": 0.0}
    return Spent(progress["wall_s"], progress["cpu_s"])


def _record(job: Job, collator: TrainingCollator, outcome: Outcome) -> dict[str, Any]:
    """Return the content of ``run.json`` without the entries that `write_run` adds."""
    recipe, unread = job.recipe, outcome.unread or UnreadImages(0, 0.0)
    nothing = StepWork(np.zeros(0, np.int64), np.zeros(0))
    shortage = read_shortage(job.inputs.out / CHECKPOINTS)
    return {
        "key": job.key,
        "sources": job.sources,
        "stage": recipe.stage,
        "choice": asdict(job.inputs.choice),
        "seed": job.inputs.seed,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_hash": recipe.digest(),
        "batch": None if outcome.plan is None else asdict(outcome.plan),
        "memory_ran_out_with": [] if shortage is None else list(shortage.ran_out_with),
        "zero_stage": job.zero_stage,
        "attention": outcome.model.language_model.config._attn_implementation,
        "steps": outcome.steps,
        "loss": outcome.loss,
        "throughput": outcome.throughput,
        **job.selection.record(),
        "unreadable_images": unread.record(),
        **spending(outcome.model, collator, outcome.order, outcome.work or nothing, unread.labels),
        **outcome.spent.total(),
    }


def _already_done(finished: Path, key: str, say: Callable[[str], None]) -> dict[str, Any]:
    record: dict[str, Any] = read_json(finished)
    if record.get("key") != key:
        raise UserError(
            f"{finished} is the record of a run with other settings or data; "
            "delete its folder, or choose another --out"
        )
    say(f"{finished} exists: nothing to do")
    return record


def _callbacks(recipe: Recipe, out: Path) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = [PlainLines(recipe.stage)]
    if recipe.tensorboard:
        callbacks.append(TensorBoard(out / TENSORBOARD))
    return callbacks


def _silent(_: str) -> None:
    """Print nothing, as only the first process prints."""
