"""Stage 2 of random-weight Qwen1.5 models on one GPU, padded against packed, and latency over (N, V).

Run by ``train_step.py --device cuda``. Weights are random: speed does not depend on them. Images are
encoded in every step by a random-weight CLIP ViT-L/14 at 336 pixels, and compressed by TokenPacker.
Lengths are drawn like those of the LLaVA-1.5 mix (log-normal, a few hundred text tokens, at most
2048 with the image). ``--tiny`` runs the same code with tiny shapes, on a CPU too.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPVisionConfig, Qwen2Config

from paretoken.data.collation import TrainingCollator
from paretoken.data.encoded import EncodedSet
from paretoken.data.order import data_order
from paretoken.errors import UserError
from paretoken.models.assemble import Choice, FeatureLayers, configure, feature_layers
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.vlm import ParetokenModel, freeze_all_but, new_adapter, trainable_prefixes
from paretoken.train.arguments import attention_of, packing_of, training_arguments
from paretoken.train.batching import choose_plan
from paretoken.train.recipe import LearningRates, Recipe
from paretoken.train.speed import Speed, Spent, this_device
from paretoken.train.spending import step_work
from paretoken.train.trainer import StageTrainer

#: Hidden size, layers, intermediate size, heads, tied embeddings: config.json of each model.
SHAPES = {
    "Qwen1.5-0.5B": (1024, 24, 2816, 16, True),
    "Qwen1.5-1.8B": (2048, 24, 5504, 16, False),
    "Qwen1.5-4B": (2560, 40, 6912, 20, False),
    "Qwen1.5-7B": (4096, 32, 11008, 32, False),
}
TINY_SHAPES = {"tiny-1": (32, 2, 48, 4, True), "tiny-2": (64, 2, 96, 4, False)}


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    shapes: dict[str, tuple[int, int, int, int, bool]]
    vocabulary: int
    clip: dict[str, int]
    tokens: tuple[int, ...]  # V
    trained_tokens: int
    batch: int
    steps: int  # half of them warm up
    text: tuple[float, float]  # median, and spread of the logarithm, of text tokens
    max_length: int
    answer: int
    repeats: int


FULL = Scale(
    SHAPES, 151936,
    {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
     "num_attention_heads": 16, "image_size": 336, "patch_size": 14},
    (1, 16, 144, 576), 144, 64, 6, (200.0, 0.8), 2048, 32, 10,
)  # fmt: skip
TINY = Scale(
    TINY_SHAPES, 512,
    {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
     "image_size": 24, "patch_size": 4},
    (1, 4, 36), 4, 8, 4, (20.0, 0.8), 96, 4, 2,
)  # fmt: skip

TEXT = 50  # Q, text tokens of a question


class Pictures:
    """The same random picture under every name."""

    argument = "pixel_values"

    def __init__(self, side: int) -> None:
        self.picture = torch.rand(3, side, side)

    def locate(self, names: Any) -> NDArray[np.int64]:
        """Return a row for every name."""
        return np.zeros(len(names), np.int64)

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Return as many pictures as rows."""
        return self.picture.expand(len(rows), -1, -1, -1)


def here() -> str:
    """Return where models are built."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def measure(device: str, tiny: bool) -> None:
    """Print tokens/s and MFU of training steps, then seconds of prefill and decode."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no GPU is here; --tiny runs this with tiny shapes on a CPU")
    scale = TINY if tiny else FULL
    name, known = this_device()
    peak = f"peak {known.peak_tflops:g} TFLOP/s" if known else "not in the table of devices: no MFU"
    print(f"{name} ({peak}); torch {torch.__version__}")
    for llm in scale.shapes:
        for packing in (False, True):
            what = f"{llm}, stage 2, V = {scale.trained_tokens}, {'packed' if packing else 'padded'}"
            with saying_what_does_not_fit(what):
                print(f"{what}: {train(scale, llm, packing)}", flush=True)
    for llm in scale.shapes:
        for V in scale.tokens:
            what = f"{llm}, Q = {TEXT}, V = {V}"
            with saying_what_does_not_fit(what):
                print(f"{what}: {latency(scale, llm, V)}", flush=True)


@contextmanager
def saying_what_does_not_fit(what: str) -> Iterator[None]:
    """Turn a lack of memory into a line of the output, and free what there is."""
    try:
        yield
    except (torch.cuda.OutOfMemoryError, UserError) as error:
        print(f"{what}: does not fit: {str(error).splitlines()[0]}", flush=True)
    gc.collect()
    torch.cuda.empty_cache()


def configuration(scale: Scale, llm: str, V: int) -> ParetokenConfig:
    """Return the configuration of a whole model, its encoder included."""
    hidden, layers, intermediate, heads, tied = scale.shapes[llm]
    text = Qwen2Config(
        hidden_size=hidden, num_hidden_layers=layers, intermediate_size=intermediate,
        num_attention_heads=heads, num_key_value_heads=heads, vocab_size=scale.vocabulary,
        tie_word_embeddings=tied, max_position_embeddings=32768, pad_token_id=0, bos_token_id=None,
        eos_token_id=None,
    )  # fmt: skip
    settings: dict[str, Any] = dict(scale.clip)
    vision = CLIPVisionConfig(**settings)
    choice = Choice("tokenpacker", V)
    features = FeatureLayers(feature_layers([choice], vision.num_hidden_layers))
    config = configure(text, vision, choice, features, image_token_id=scale.vocabulary)
    config.vision_config = vision
    return config


def build(scale: Scale, llm: str, V: int, device: str, dtype: torch.dtype) -> ParetokenModel:
    """Return a model with random weights, set up for stage 2."""
    with torch.device(device):
        model = ParetokenModel(configuration(scale, llm, V))
        model.compressor, model.projector = new_adapter(model.config)
    nn.Module.to(model, dtype)
    freeze_all_but(model, trainable_prefixes("finetune"))
    return model


def conversations(scale: Scale, count: int) -> EncodedSet:
    """Return conversations with an image each, of drawn lengths, whose second half is learned."""
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
        images=np.zeros(count, np.int32),
        image_names=["picture"],
        image_token_id=scale.vocabulary,
        template="chat",
        fingerprint="",
    )


def train(scale: Scale, llm: str, packing: bool) -> str:
    """Return tokens/s and MFU of the second half of some steps."""
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
        # Planned before the weights take their memory, as `paretoken train` does.
        shell = build(scale, llm, scale.trained_tokens, "meta", torch.float32)
        planned = choose_plan(recipe, shell, collator, order, 1, 0, Path(folder))
        model = build(scale, llm, scale.trained_tokens, here(), torch.float32)
        model.language_model.set_attn_implementation(attention_of(recipe))
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


@torch.no_grad()
def latency(scale: Scale, llm: str, V: int) -> str:
    """Return the median seconds of a prefill (encoder left out) and of a decoded token, batch 1."""
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    model = build(scale, llm, V, here(), dtype)
    model.train(False)
    ids = torch.randint(1, scale.vocabulary, (1, V + TEXT), device=here())
    ids[0, 2 : 2 + V] = scale.vocabulary
    pixels = Pictures(scale.clip["image_size"]).gather(np.zeros(1, np.int64))
    assert model.vision_encoder is not None
    features = model.vision_encoder(pixels.to(here(), dtype))
    prefills, decodes = [], []
    for repeat in range(scale.repeats + 2):  # the first two warm up
        prefill, (output, first) = timed(lambda: _prefill(model, ids, features))
        decode, _ = timed(lambda o=output, f=first: _decode(model, o, f, scale.answer))
        if repeat >= 2:
            prefills.append(prefill)
            decodes.append(decode / scale.answer)
    return (
        f"prefill {statistics.median(prefills) * 1e3:.2f} ms, "
        f"decode {statistics.median(decodes) * 1e3:.2f} ms per token"
    )


def _prefill(model: ParetokenModel, ids: Tensor, features: Tensor) -> tuple[Any, Tensor]:
    output = model(input_ids=ids, features=features, use_cache=True, logits_to_keep=1)
    return output.past_key_values, output["logits"][:, -1:].argmax(-1)


def _decode(model: ParetokenModel, cache: Any, token: Tensor, count: int) -> Tensor:
    for _ in range(count):
        output = model(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache, token = output.past_key_values, output["logits"][:, -1:].argmax(-1)
    return token


def timed(call: Any) -> tuple[float, Any]:
    """Return seconds and result of a call, waiting for the GPU."""
    _wait()
    started = time.perf_counter()
    result = call()
    _wait()
    return time.perf_counter() - started, result


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
