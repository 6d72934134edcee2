"""Training steps of random-weight Qwen1.5 models on one GPU: speed, and memory beside its forecast.

It is a part of `gpu_acceptance`; ``train_step.py --device cuda`` runs it alone. Weights are random,
since neither speed nor memory depends on them. Every step encodes images by a random-weight CLIP
ViT-L/14 at 336 pixels and compresses them by TokenPacker. Lengths resemble those of the LLaVA-1.5 mix
(log-normal, a few hundred text tokens, at most 2048 with the image).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import TrainerCallback

from gpu_checks import Check, Result, judged, not_run, run_checks
from paretoken.costs.gpu_memory import GIB, Split, training_memory
from paretoken.data.collation import TrainingCollator
from paretoken.data.encoded import EncodedSet
from paretoken.data.order import BatchPlan, MicroBatches, data_order
from paretoken.errors import UserError
from paretoken.train.attention import attention_of, packing_of, set_attention
from paretoken.train.batching import choose_plan, micro_batch, trainee_of
from paretoken.train.recipe import LearningRates, Recipe, Stage
from paretoken.train.speed import Speed, Spent
from paretoken.train.spending import step_work
from paretoken.train.trainer import StageTrainer
from paretoken.train.trainer_arguments import training_arguments
from random_models import FULL, TINY, Llm, Pictures, Scale, configuration, here, trainable

#: The least and the most that a peak may be of its forecast: above, runs end for lack of memory; below,
#: micro batches are smaller than they could be.
LEAST, MOST = 0.7, 1.15
RULE = f"losses finite; on a GPU, peak of allocated memory {LEAST} to {MOST} times the forecast"


def checks(scale: Scale) -> list[Check]:
    """Return a check per language model, stage and packing, small models first."""
    return [
        Check(
            f"{name}, {stage}, {'packed' if packing else 'padded'}",
            partial(step, scale, name, stage, packing),
            llm.layers * llm.hidden * (4 * llm.hidden + 3 * llm.intermediate) / 1e6,
        )
        for name, llm in scale.shapes.items()
        for stage in ("pretrain", "finetune")
        for packing in (False, True)
    ]


def measure(device: str, tiny: bool) -> None:
    """Print the results of all checks."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("this machine has no GPU; use --tiny to run tiny shapes on a CPU")
    from gpu_acceptance_part import machine, recover

    print(machine())
    run_checks(checks(TINY if tiny else FULL), print, lambda: math.inf, recover)


def step(scale: Scale, llm: str, stage: Stage, packing: bool) -> Result:
    """Return tokens/s and MFU of the second half of the steps, and the memory of all of them."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = Run.of(scale, scale.shapes[llm], stage_recipe(scale, stage, packing), Path(folder))
        except UserError as error:
            return not_run(str(error))
        trainer = run.trainer(log_every=scale.steps // 2)
        trainer.train()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    last, losses = logged[-1], [entry["loss"] for entry in logged]
    ratio, memory = memory_beside(run.forecast())
    return judged(
        all(map(math.isfinite, losses)) and (ratio is None or LEAST <= ratio <= MOST), RULE,
        tokens_per_s=last["tokens_per_s"], mfu=last.get("mfu"), **memory,
        micro_batch=run.plan.micro_batch, accumulation=run.plan.accumulation,
        attention=attention_of(run.recipe), losses=losses,
    )  # fmt: skip


def memory_beside(forecast: float) -> tuple[float | None, dict[str, float]]:
    """Return the peak of this process as a share of a forecast in bytes, and the memory in GiB."""
    planned = {"forecast_gib": forecast / GIB}
    if not torch.cuda.is_available():
        return None, planned
    peak = torch.cuda.max_memory_allocated()
    reserved = torch.cuda.max_memory_reserved() / GIB
    numbers = {"peak_gib": peak / GIB, "reserved_gib": reserved, "peak_to_forecast": peak / forecast}
    return peak / forecast, planned | numbers


def stage_recipe(scale: Scale, stage: Stage, packing: bool) -> Recipe:
    """Return a recipe like those of the paper's study, for a few steps."""
    rates = LearningRates(projector=1e-3 if stage == "pretrain" else 2e-5, llm=None)
    if stage == "finetune":
        rates = LearningRates(projector=2e-5, llm=2e-5)
    return Recipe(
        stage=stage, learning_rates=rates, global_batch=scale.batch, micro_batch="auto",
        memory_gib=None if torch.cuda.is_available() else 1.0, steps=scale.steps, precision="bf16",
        max_length=scale.max_length, packing=packing, by_length=not packing,
        gradient_checkpointing=True, save_every=10**5, divergence=1e5, tensorboard=False,
    )  # fmt: skip


def conversations(scale: Scale, count: int) -> EncodedSet:
    """Return conversations of random lengths, each with an image, whose second half is learned."""
    rng = np.random.default_rng(0)
    median, spread = scale.text
    lengths = np.clip(rng.lognormal(np.log(median), spread, count), 8, scale.max_length).astype(int)
    ids = [rng.integers(1, scale.vocabulary, length).astype(np.int32) for length in lengths]
    for row in ids:
        row[2] = scale.vocabulary  # the image
    return EncodedSet(
        ids=np.concatenate(ids),
        learned=np.concatenate([np.arange(length) >= length // 2 for length in lengths]),
        offsets=np.cumsum([0, *lengths], dtype=np.int64),
        images=np.arange(count, dtype=np.int32),  # distinct images: a shared one would be encoded once
        image_names=[str(number) for number in range(count)],
        image_token_id=scale.vocabulary,
        template="chat",
        fingerprint="",
    )


@dataclass(frozen=True)
class Run:
    """A stage with random weights and conversations, planned like one of `paretoken train`."""

    scale: Scale
    llm: Llm
    recipe: Recipe
    folder: Path
    collator: TrainingCollator
    order: NDArray[np.int64]
    plan: BatchPlan

    @classmethod
    def of(cls, scale: Scale, llm: Llm, recipe: Recipe, folder: Path) -> Run:
        """Return a run whose micro batch is chosen by the forecast; `UserError` if it cannot fit."""
        assert recipe.steps is not None
        data = conversations(scale, recipe.global_batch * recipe.steps)
        store = Pictures(scale.clip["image_size"])
        collator = TrainingCollator(
            data, store, scale.trained_tokens, 0, recipe.max_length, packing_of(recipe)
        )
        order = data_order(collator.lengths, recipe.steps, recipe.global_batch, 0, recipe.by_length)
        shell = cls._shell(scale, llm, recipe)
        plan = choose_plan(recipe, shell, collator, order, 1, 0, folder)
        return cls(scale, llm, recipe, folder, collator, order, plan)

    @staticmethod
    def _shell(scale: Scale, llm: Llm, recipe: Recipe) -> Any:
        """Return the model without memory: plans are made before weights occupy any."""
        config = configuration(scale, llm, scale.trained_tokens)
        return trainable(config, torch.device("meta"), recipe.stage)

    def forecast(self) -> float:
        """Return the bytes that the largest micro batch is expected to take, without CUDA's own."""
        trainee = trainee_of(self.recipe, self._shell(self.scale, self.llm, self.recipe), self.collator)
        lengths = None if self.collator.packing is None else self.collator.lengths
        parts = MicroBatches(self.order, self.plan, lengths=lengths)
        micros = (micro_batch(part, self.collator) for part in parts)
        return max(training_memory(trainee, Split(1, 0), micro).total for micro in micros)

    def trainer(self, log_every: int, more: Sequence[TrainerCallback] = ()) -> StageTrainer:
        """Return a trainer of a new model; weights depend on nothing but the shapes."""
        recipe = self.recipe.model_copy(update={"log_every": log_every})
        torch.manual_seed(0)
        config = configuration(self.scale, self.llm, self.scale.trained_tokens)
        model = trainable(config, here(), recipe.stage)
        set_attention(model.language_model, recipe)
        steps = recipe.steps_of(len(self.order))
        arguments = training_arguments(recipe, self.plan, steps, self.folder, 0)
        if recipe.save_every > steps:
            arguments.set_save(strategy="no")
        work = step_work(model, self.collator, self.order, steps, recipe.stage, encoded_online=True)
        return StageTrainer(
            model, recipe, self.plan, self.order, self.collator, self.folder, "", Spent(), arguments,
            list(more), Speed(work, 1),
        )  # fmt: skip
