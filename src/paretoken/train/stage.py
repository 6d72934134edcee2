"""One stage of one cell, from its sources to ``run.json``; continues where a kill left off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PretrainedConfig, TrainerCallback

from paretoken.data.collation import TrainingCollator
from paretoken.data.encoded import EncodedSet, read_encoded
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import Aspect, ImageSource, read_preprocessor
from paretoken.data.order import BatchPlan, data_order, plan_batches, steps_for
from paretoken.errors import UserError
from paretoken.files import read_json, sha256
from paretoken.models.assemble import (
    ADAPTER_FILE,
    Choice,
    FeatureLayers,
    assemble,
    attach_encoder,
    feature_layers,
    load_adapter,
    save_adapter,
)
from paretoken.models.language import end_with
from paretoken.models.vision import load_encoder, read_vision_config
from paretoken.models.vlm import ParetokenModel, freeze_all_but, trainable_prefixes
from paretoken.pretrained import combined_hash, saving, weights_hash
from paretoken.train.checkpoints import latest
from paretoken.train.recipe import Recipe
from paretoken.train.reporting import PlainLines, TensorBoard
from paretoken.train.run_record import RUN_FILE, write_run
from paretoken.train.spending import spending
from paretoken.train.trainer import Spent, StageTrainer, training_arguments
from paretoken.train.whitening import fit_whitening

CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"


@dataclass(frozen=True)
class StageInputs:
    """Everything a stage reads, and the folder it writes.

    Either ``features`` (precomputed) or ``images`` (a folder, encoded while training) is given;
    neither for V = 0. ``adapter`` is the result of stage 1, for stage 2.
    """

    llm: Path
    vision: Path
    data: Path
    out: Path
    choice: Choice
    seed: int
    features: Path | None = None
    images: Path | None = None
    aspect: Aspect = "pad"
    adapter: Path | None = None
    deepspeed: Path | None = None


def run_stage(inputs: StageInputs, recipe: Recipe, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Train a stage and write its result; return its record.

    Writes ``<out>/adapter`` (pretrain) or ``<out>/model`` (finetune), then ``<out>/run.json``.

    Args:
        inputs: sources and target.
        recipe: how to train.
        say: is told what happens.

    Raises:
        UserError: an input is missing or does not fit the others, or training had to stop.
    """
    vision = read_vision_config(inputs.vision)
    data = read_encoded(inputs.data)
    key = run_key(inputs, recipe, data)
    finished = inputs.out / RUN_FILE
    if finished.exists():
        return _already_done(finished, key, say)
    visual, layers = _visual(inputs, vision)
    model = _model(inputs, recipe, vision, layers, data.image_token_id)
    model.config.template = data.template
    model.config.image_aspect = _aspect(visual)
    collator = TrainingCollator(data, visual, inputs.choice.tokens, _pad_id(model), recipe.max_length)
    if model.config.whiten and recipe.stage == "pretrain" and visual is not None:
        fit_whitening(model, visual, data.image_names)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        say("nothing to train in this stage")  # the blind control has no projector
        outcome = Outcome(np.zeros(0, np.int64), 0, [], None, Spent())
    else:
        outcome = _train(model, inputs, recipe, collator, key, say)
    if int(os.environ.get("RANK", "0")) != 0:
        return {}
    _store(model, inputs, recipe)
    record = {
        "key": key,
        "stage": recipe.stage,
        "choice": asdict(inputs.choice),
        "seed": inputs.seed,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_hash": recipe.digest(),
        "batch": None if outcome.plan is None else asdict(outcome.plan),
        "steps": outcome.steps,
        "loss": outcome.loss,
        **spending(model, collator, outcome.order, recipe.stage, inputs.features is None),
        **outcome.spent.total(),
    }
    record = write_run(inputs.out, record)
    shutil.rmtree(inputs.out / CHECKPOINTS, ignore_errors=True)
    return record


@dataclass(frozen=True)
class Outcome:
    """What training did: which conversations in which order, the logged losses, the time spent."""

    order: NDArray[np.int64]
    steps: int
    loss: list[list[float]]
    plan: BatchPlan | None
    spent: Spent


def _train(
    model: ParetokenModel,
    inputs: StageInputs,
    recipe: Recipe,
    collator: TrainingCollator,
    key: str,
    say: Callable[[str], None],
) -> Outcome:
    """Train from the start, or from the newest whole checkpoint of the same run."""
    folder = inputs.out / CHECKPOINTS
    checkpoint, notes = latest(folder, key)
    for note in notes:
        say(note)
    progress = checkpoint.progress if checkpoint else {"wall_s": 0.0, "cpu_s": 0.0}
    spent = Spent(progress["wall_s"], progress["cpu_s"])
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    plan = plan_batches(recipe.global_batch, recipe.micro_batch, devices)
    count = len(collator.data)
    steps = recipe.steps or steps_for(count, recipe.global_batch, recipe.epochs or 1)
    order = data_order(collator.lengths, steps, plan.global_batch, inputs.seed, recipe.by_length)
    arguments = training_arguments(recipe, plan, steps, folder, inputs.seed, inputs.deepspeed)
    trainer = StageTrainer(
        model, recipe, plan, order, collator, folder, key, spent, arguments,
        _callbacks(recipe, inputs.out),
    )  # fmt: skip
    if checkpoint is not None:
        trainer.guard.restore(checkpoint.progress["guard"])
    trainer.train(resume_from_checkpoint=str(checkpoint.path) if checkpoint else None)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    loss = [[entry["step"], entry["loss"]] for entry in logged]
    return Outcome(order, steps, loss, plan, spent)


def run_key(inputs: StageInputs, recipe: Recipe, data: EncodedSet) -> str:
    """Return a hash of all that determines the result of a stage."""
    visual = "none"
    if inputs.features is not None and inputs.choice.tokens:
        visual = sha256(inputs.features / "index.json")
    elif inputs.images is not None:
        visual = f"{inputs.images} {inputs.aspect}"
    adapter = "none" if inputs.adapter is None else sha256(inputs.adapter / ADAPTER_FILE)
    sources = [weights_hash(inputs.llm), weights_hash(inputs.vision), data.fingerprint]
    cell = [str(inputs.choice), str(inputs.seed)]
    return combined_hash([recipe.digest(), *sources, visual, adapter, *cell])


def _already_done(finished: Path, key: str, say: Callable[[str], None]) -> dict[str, Any]:
    record: dict[str, Any] = read_json(finished)
    if record.get("key") != key:
        raise UserError(
            f"{finished} is the record of a run with other settings or data; "
            "delete its folder, or choose another --out"
        )
    say(f"{finished} exists: nothing to do")
    return record


def _visual(
    inputs: StageInputs, vision: PretrainedConfig
) -> tuple[FeatureStore | PixelStore | None, FeatureLayers]:
    """Open features or images, and return which layers they hold."""
    if inputs.choice.tokens == 0:
        return None, FeatureLayers(feature_layers([inputs.choice], vision.num_hidden_layers))
    if inputs.features is not None:
        store = FeatureStore(inputs.features)
        store.demand_encoder(weights_hash(inputs.vision))
        return store, FeatureLayers(store.layers, bool(store.index["normalised"]))
    if inputs.images is None:
        raise UserError("give --features or --images (only 0 visual tokens need neither)")
    preprocess = read_preprocessor(inputs.vision, inputs.aspect)
    source = ImageSource(inputs.images)
    layers = feature_layers([inputs.choice], vision.num_hidden_layers)
    return PixelStore(source, preprocess), FeatureLayers(layers)


def _aspect(visual: FeatureStore | PixelStore | None) -> str:
    if isinstance(visual, FeatureStore):
        return str(visual.index["preprocess"]["aspect"])
    return "pad" if visual is None else visual.preprocess.aspect


def _model(
    inputs: StageInputs,
    recipe: Recipe,
    vision: PretrainedConfig,
    layers: FeatureLayers,
    image_token_id: int,
) -> ParetokenModel:
    """Build the model with the weights that the stage starts from."""
    frozen_llm = recipe.stage == "pretrain" and recipe.precision == "bf16"
    dtype = torch.bfloat16 if frozen_llm else torch.float32
    model = assemble(inputs.llm, vision, inputs.choice, layers, image_token_id, inputs.seed, dtype)
    if recipe.stage == "finetune" and inputs.choice.tokens:
        if inputs.adapter is None:
            raise UserError("finetune needs --adapter: what `--stage pretrain` wrote")
        load_adapter(model, inputs.adapter)
    if inputs.features is None and inputs.choice.tokens:
        attach_encoder(model, load_encoder(inputs.vision, layers.layers, layers.normalised))
    freeze_all_but(model, trainable_prefixes(recipe.stage))
    return model


def _store(model: ParetokenModel, inputs: StageInputs, recipe: Recipe) -> None:
    """Write the adapter, or the whole model with its tokenizer and encoder."""
    if recipe.stage == "pretrain":
        with saving(inputs.out / "adapter") as folder:
            save_adapter(model, folder)
        return
    from paretoken.data.labels import ChatEncoder, load_tokenizer

    if model.vision_encoder is None and inputs.choice.tokens:
        config = model.config
        encoder = load_encoder(inputs.vision, config.feature_layers, config.normalise_features)
        attach_encoder(model, encoder)
    if recipe.precision == "bf16":
        nn.Module.to(model, torch.bfloat16)
    tokenizer = load_tokenizer(inputs.llm)
    end_with(model, ChatEncoder(tokenizer, model.config.template).end_id)
    with saving(inputs.out / "model") as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        preprocessor = inputs.vision / "preprocessor_config.json"
        if preprocessor.exists():
            shutil.copy(preprocessor, folder)


def _pad_id(model: ParetokenModel) -> int:
    pad = model.config.text_config.pad_token_id
    return 0 if pad is None else int(pad)


def _callbacks(recipe: Recipe, out: Path) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = [PlainLines(recipe.stage)]
    if recipe.tensorboard:
        callbacks.append(TensorBoard(out / TENSORBOARD))
    return callbacks
