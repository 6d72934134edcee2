"""The miniature's language models: one family, differing in width only, trained on generated text.

600 steps take half a minute (width 16) to two minutes (width 144) on one core, so there are no
checkpoints: a killed run starts again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from paretoken.config.settings import digest
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.finished import already_done
from paretoken.model_files.pretrained import saving
from paretoken.train.optimisation import warm_cosine
from paretoken.train.run_record import write_run
from paretoken.train.sources.loop import train
from paretoken.train.sources.source_recipes import LlmRecipe
from paretoken.world.facts import World
from paretoken.world.text import TextBatch, draw_exam, draw_text
from paretoken.world.tokenizer import make_tokenizer
from paretoken.world.vocabulary import END, PAD, Vocabulary
from paretoken.world.world_settings import KINDS, WorldSettings

#: Numbers of words that describe the scenes of the check; 1: the icon's name alone.
CHECK_SLOTS = (1, 9)


def pretrain_llm(
    out: Path,
    recipe: LlmRecipe,
    settings: WorldSettings,
    width: int,
    seed: int,
    world_seed: int,
    progress: ProgressCallback = silent,
    say: Callable[[str], None] = print,
) -> None:
    """Train a language model and write it: weights, configuration, tokenizer, ``run.json``.

    Args:
        out: folder to write, atomically.
        recipe: architecture and training.
        settings: the world whose text the model reads.
        width: hidden size of the model.
        seed: seed of weights and text.
        world_seed: seed of the facts.
        progress: called with the steps done and the number of all steps.
        say: prints a message: that there is nothing to do.

    Raises:
        UserError: the width cannot be split into heads, the folder holds another run, or training
            was stopped.
    """
    recipe.heads(width)
    key = digest("pretrain-llm", recipe, settings, width, seed, world_seed)
    if already_done(out, key, say):
        return
    wall, cpu = time.monotonic(), time.process_time()
    world = World(settings, world_seed)
    model = new_llm(recipe, world.words, width, seed)
    rng = np.random.default_rng([seed, width, 3])
    history = _fit(model, recipe, world, rng, progress)
    spent = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
    with saving(out) as folder:
        model.save_pretrained(folder)
        make_tokenizer(world.words).save_pretrained(folder)
        record = {
            "key": key, "seed": seed, "world_seed": world_seed, "width": width,
            "recipe": recipe.model_dump(mode="json"), "world": settings.model_dump(mode="json"),
            "steps": recipe.steps, "loss": history, "parameters": count_parameters(model),
            "errors": text_errors(model, world, recipe.check_rows, rng), **spent,
        }  # fmt: skip
        write_run(folder, record)


def new_llm(recipe: LlmRecipe, words: Vocabulary, width: int, seed: int) -> Qwen2ForCausalLM:
    """Return a language model with random weights."""
    heads = recipe.heads(width)
    config = Qwen2Config(
        vocab_size=len(words), hidden_size=width, intermediate_size=recipe.mlp_ratio * width,
        num_hidden_layers=recipe.layers, num_attention_heads=heads, num_key_value_heads=heads,
        max_position_embeddings=recipe.positions, tie_word_embeddings=True,
        initializer_range=recipe.init_std, attention_dropout=0.0,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        bos_token_id=None, eos_token_id=words.id[END], pad_token_id=words.id[PAD],
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 * seed + width)
        return Qwen2ForCausalLM(config)


def count_parameters(model: PreTrainedModel) -> dict[str, int]:
    """Return the number of all parameters, and of those outside the (tied) embedding."""
    total = sum(parameter.numel() for parameter in model.parameters())
    embedding: Any = model.get_input_embeddings()
    return {"total": total, "non_embedding": total - embedding.weight.numel()}


def _fit(
    model: Qwen2ForCausalLM,
    recipe: LlmRecipe,
    world: World,
    rng: np.random.Generator,
    progress: ProgressCallback,
) -> list[list[float]]:
    optimiser = torch.optim.AdamW(
        model.parameters(),
        lr=recipe.rate(model.config.hidden_size),
        betas=recipe.betas,
        weight_decay=recipe.weight_decay,
    )
    schedule = LambdaLR(optimiser, lambda step: warm_cosine(step, recipe.steps, recipe.warmup))
    direct, scenes = recipe.direct, recipe.scenes
    slots, shares = list(scenes.slots), list(scenes.slots.values())

    def losses() -> Iterator[Tensor]:
        # Facts have rows of their own, because among the words of a scene they are learned far more
        # slowly. The end of an answer is learned from the longer conversations.
        batch = draw_text(world, rng, direct.rows, 1, 1, direct.kinds, text_share=0.0)
        yield text_loss(model, batch.without_end())
        shown = int(rng.choice(slots, p=shares))
        yield text_loss(
            model,
            draw_text(world, rng, scenes.rows, scenes.turns, shown, scenes.kinds, scenes.text_share),
        )

    return train(model.parameters(), losses, optimiser, schedule, recipe, progress)


def text_loss(model: Qwen2ForCausalLM, batch: TextBatch) -> Tensor:
    """Return the mean cross entropy of the learned tokens; only their logits are computed."""
    ids = torch.from_numpy(batch.ids)
    columns = torch.from_numpy(np.flatnonzero(batch.learned))
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[:, columns - 1])
    return functional.cross_entropy(logits.flatten(0, 1), ids[:, columns].flatten())


@torch.no_grad()
def text_errors(
    model: Qwen2ForCausalLM, world: World, rows: int, rng: np.random.Generator
) -> dict[str, float]:
    """Return the share of wrong answers per kind and number of words, with keys such as ``fact_1``."""
    model.train(False)
    found = {}
    for slots in CHECK_SLOTS:
        for kind in KINDS:
            if kind != "read" or slots > 1:  # a single word names an icon, so there is no digit
                found[f"{kind}_{slots}"] = _error(model, draw_exam(world, rng, rows, slots, kind))
    return found


def _error(model: Qwen2ForCausalLM, batch: TextBatch) -> float:
    ids = torch.from_numpy(batch.ids)
    wrong = 0
    for part in torch.split(ids, 500):
        hidden = model.model(input_ids=part[:, :-1], use_cache=False).last_hidden_state[:, -1]
        wrong += int((model.lm_head(hidden).argmax(-1) != part[:, -1]).sum())
    return wrong / len(ids)
