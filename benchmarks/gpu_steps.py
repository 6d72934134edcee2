"""Time stage 2 of random-weight Qwen1.5 models on one GPU, padded and packed, and latency over (N, V).

``train_step.py --device cuda`` runs this module. Weights are random, since speed does not depend on
them. Every step encodes images by a random-weight CLIP ViT-L/14 at 336 pixels and compresses them by
TokenPacker. Lengths resemble those of the LLaVA-1.5 mix (log-normal, a few hundred text tokens, at most
2048 with the image). ``--tiny`` runs the same code with tiny shapes, also on a CPU.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from gpu_latency import TEXT, latency
from paretoken.data.collation import TrainingCollator
from paretoken.data.encoded import EncodedSet
from paretoken.data.order import data_order
from paretoken.errors import UserError
from paretoken.train.attention import attention_of, packing_of, set_attention
from paretoken.train.batching import choose_plan
from paretoken.train.recipe import LearningRates, Recipe
from paretoken.train.speed import Speed, Spent, this_device
from paretoken.train.spending import step_work
from paretoken.train.trainer import StageTrainer
from paretoken.train.trainer_arguments import training_arguments
from random_models import FULL, TINY, Pictures, Scale, build, here


def measure(device: str, tiny: bool) -> None:
    """Print tokens/s and MFU of training steps, then seconds of prefill and decode."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("this machine has no GPU; use --tiny to run tiny shapes on a CPU")
    scale = TINY if tiny else FULL
    name, known = this_device()
    peak = f"peak {known.peak_tflops:g} TFLOP/s" if known else "not in the table of devices: no MFU"
    print(f"{name} ({peak}); torch {torch.__version__}")
    for llm in scale.shapes:
        for packing in (False, True):
            what = f"{llm}, stage 2, V = {scale.trained_tokens}, {'packed' if packing else 'padded'}"
            with reporting_lack_of_memory(what):
                print(f"{what}: {train(scale, llm, packing)}", flush=True)
    for llm in scale.shapes:
        for V in scale.tokens:
            what = f"{llm}, Q = {TEXT}, V = {V}"
            with reporting_lack_of_memory(what):
                print(f"{what}: {latency(scale, llm, V)}", flush=True)


@contextmanager
def reporting_lack_of_memory(what: str) -> Iterator[None]:
    """Turn a lack of memory into a line of the output, and free the memory in use."""
    try:
        yield
    except (torch.cuda.OutOfMemoryError, UserError) as error:
        print(f"{what}: does not fit: {str(error).splitlines()[0]}", flush=True)
    gc.collect()
    torch.cuda.empty_cache()


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


def train(scale: Scale, llm: str, packing: bool) -> str:
    """Return tokens/s and MFU of the second half of the steps, as text."""
    cuda = torch.cuda.is_available()
    recipe = Recipe(
        stage="finetune", learning_rates=LearningRates(projector=2e-5, llm=2e-5),
        global_batch=scale.batch, micro_batch="auto", memory_gib=None if cuda else 1.0,
        steps=scale.steps, precision="bf16", max_length=scale.max_length, packing=packing,
        by_length=not packing, gradient_checkpointing=True, save_every=10**5,
        log_every=scale.steps // 2, divergence=1e5,
    )  # fmt: skip
    data = conversations(scale, scale.batch * scale.steps)
    store = Pictures(scale.clip["image_size"])
    collator = TrainingCollator(
        data, store, scale.trained_tokens, 0, scale.max_length, packing_of(recipe)
    )
    order = data_order(collator.lengths, scale.steps, scale.batch, 0, recipe.by_length)
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        # Plan before the weights occupy memory, like `paretoken train`.
        shell = build(scale, llm, scale.trained_tokens, "meta", torch.float32)
        planned = choose_plan(recipe, shell, collator, order, 1, 0, Path(folder))
        model = build(scale, llm, scale.trained_tokens, here(), torch.float32)
        set_attention(model.language_model, recipe)
        arguments = training_arguments(recipe, planned, scale.steps, Path(folder), 0)
        arguments.set_save(strategy="no")
        work = step_work(model, collator, order, scale.steps, "finetune", encoded_online=True)
        trainer = StageTrainer(
            model, recipe, planned, order, collator, Path(folder), "", Spent(), arguments, [],
            Speed(work, 1),
        )  # fmt: skip
        trainer.train()
    last = [entry for entry in trainer.state.log_history if "tokens_per_s" in entry][-1]
    used = f", MFU {last['mfu']:.1%}" if "mfu" in last else ""
    peak = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if cuda else ""
    rows = f"{planned.accumulation} micro batches of up to {planned.micro_batch}"
    return f"{last['tokens_per_s']:.0f} tokens/s{used}{peak}, {attention_of(recipe)}, {rows}"
