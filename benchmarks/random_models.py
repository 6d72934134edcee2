"""Build Qwen1.5 models with random weights, in the real sizes or tiny, for the `gpu_*` scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPVisionConfig, Qwen2Config

from paretoken.models.adapter import freeze_all_but, new_adapter, trainable_prefixes
from paretoken.models.assemble import Choice, FeatureLayers, configure, feature_layers
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.vlm import ParetokenModel
from paretoken.train.recipe import Stage


class Llm(NamedTuple):
    """The entries of a language model's config.json that differ between the sizes."""

    hidden: int
    layers: int
    intermediate: int
    heads: int
    tied: bool


@dataclass(frozen=True)
class Scale:
    """The sizes of models, data and measurements.

    Attributes:
        shapes: language models by name, from small to large.
        small: one with the width and vocabulary of the first, but few layers.
        vocabulary: rows of the embedding; the placeholder of images comes after them.
        clip: entries of the encoder's configuration.
        compressed: visual tokens of a batch of the compressors' checks.
        tokens: V of answers and latency.
        trained_tokens: V of training steps.
        batch: conversations of a training step.
        steps: training steps; the first half warms up.
        text: median, and spread of the logarithm, of the text tokens of a conversation.
        max_length: most tokens of a conversation.
        pictures: number of pictures that questions are asked about.
        questions: number of questions about each of them.
        asked_at_once: batch size of answers.
        answer: tokens of an answer.
        text_tokens: Q of latency.
        batches: batch sizes of latency.
        repeats: repeats of latency.
    """

    shapes: dict[str, Llm]
    small: Llm
    vocabulary: int
    clip: dict[str, Any]
    compressed: int
    tokens: tuple[int, ...]
    trained_tokens: int
    batch: int
    steps: int
    text: tuple[float, float]
    max_length: int
    pictures: int
    questions: int
    asked_at_once: int
    answer: int
    text_tokens: tuple[int, ...]
    batches: tuple[int, ...]
    repeats: int


FULL = Scale(
    shapes={
        "Qwen1.5-0.5B": Llm(1024, 24, 2816, 16, True),
        "Qwen1.5-1.8B": Llm(2048, 24, 5504, 16, False),
        "Qwen1.5-4B": Llm(2560, 40, 6912, 20, False),
        "Qwen1.5-7B": Llm(4096, 32, 11008, 32, False),
    },
    small=Llm(1024, 4, 2816, 16, True),
    vocabulary=151936,
    clip={"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
          "num_attention_heads": 16, "image_size": 336, "patch_size": 14},
    compressed=36864, tokens=(1, 16, 144, 576), trained_tokens=144, batch=64, steps=4,
    text=(200.0, 0.8), max_length=2048, pictures=64, questions=16, asked_at_once=64, answer=16,
    text_tokens=(50, 500), batches=(1, 16), repeats=5,
)  # fmt: skip
TINY = Scale(
    shapes={"tiny": Llm(32, 2, 48, 4, True)},
    small=Llm(32, 2, 48, 4, True),
    vocabulary=512,
    clip={"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
          "num_attention_heads": 4, "image_size": 48, "patch_size": 8},
    compressed=72, tokens=(1, 36), trained_tokens=4, batch=4, steps=2,
    text=(20.0, 0.8), max_length=96, pictures=3, questions=4, asked_at_once=4, answer=4,
    text_tokens=(5,), batches=(1, 2), repeats=2,
)  # fmt: skip


class Pictures:
    """Random pictures; a name is a number, and numbers beyond their count begin anew."""

    argument = "pixel_values"

    def __init__(self, side: int, count: int = 1) -> None:
        self.pictures = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))

    def locate(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of each name."""
        return np.array([int(name) % len(self.pictures) for name in names], np.int64)

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the pictures of some rows."""
        return self.pictures[torch.from_numpy(rows)]

    def read(self, rows: NDArray[np.int64]) -> tuple[Tensor, dict[int, str]]:
        """Return the pictures of some rows, and no unreadable ones."""
        return self.gather(rows), {}


def here() -> torch.device:
    """Return the device on which models are built."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def configuration(
    scale: Scale, llm: Llm, V: int, compressor: str = "tokenpacker", image_token: int | None = None
) -> ParetokenConfig:
    """Return the configuration of a whole model, its encoder included.

    Random weights keep the scale of what they multiply, so that outputs depend on the whole input.

    Args:
        scale: the sizes of vocabulary and encoder.
        llm: dimensions of the language model.
        V: visual tokens.
        compressor: a registered compressor.
        image_token: id of the placeholder; None: the first one after the vocabulary.
    """
    text = Qwen2Config(
        hidden_size=llm.hidden, num_hidden_layers=llm.layers, intermediate_size=llm.intermediate,
        num_attention_heads=llm.heads, num_key_value_heads=llm.heads, vocab_size=scale.vocabulary,
        tie_word_embeddings=llm.tied, max_position_embeddings=32768, pad_token_id=0, bos_token_id=None,
        eos_token_id=None, initializer_range=llm.hidden**-0.5,
    )  # fmt: skip
    settings: dict[str, Any] = dict(scale.clip)
    vision = CLIPVisionConfig(**settings)
    choice = Choice(compressor, V)
    features = FeatureLayers(feature_layers([choice], vision.num_hidden_layers))
    token = scale.vocabulary if image_token is None else image_token
    config = configure(text, vision, choice, features, image_token_id=token)
    config.vision_config = vision
    return config


def build(config: ParetokenConfig, device: torch.device, dtype: torch.dtype) -> ParetokenModel:
    """Return a model with random weights in evaluation mode."""
    with device:
        model = ParetokenModel(config)
        model.compressor, model.projector = new_adapter(config)
    nn.Module.to(model, dtype)
    model.train(False)
    return model


def trainable(config: ParetokenConfig, device: torch.device, stage: Stage) -> ParetokenModel:
    """Return a model as `paretoken train` has it in bf16: fp32, but a frozen language model in bf16."""
    model = build(config, device, torch.float32)
    if stage == "pretrain":
        nn.Module.to(model.language_model, torch.bfloat16)
    freeze_all_but(model, trainable_prefixes(stage))
    return model
