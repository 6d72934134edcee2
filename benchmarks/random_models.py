"""Build Qwen1.5 models with random weights, in the real sizes or tiny, for `gpu_steps`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPVisionConfig, Qwen2Config

from paretoken.models.adapter import freeze_all_but, new_adapter, trainable_prefixes
from paretoken.models.assemble import Choice, FeatureLayers, configure, feature_layers
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.vlm import ParetokenModel

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
    """The sizes of models, data and measurements."""

    shapes: dict[str, tuple[int, int, int, int, bool]]
    vocabulary: int
    clip: dict[str, Any]
    tokens: tuple[int, ...]  # V
    trained_tokens: int
    batch: int
    steps: int  # the first half warms up
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

    def read(self, rows: NDArray[np.int64]) -> tuple[Tensor, dict[int, str]]:
        """Return as many pictures as rows, and no unreadable ones."""
        return self.gather(rows), {}


def here() -> str:
    """Return the device on which models are built."""
    return "cuda" if torch.cuda.is_available() else "cpu"


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
