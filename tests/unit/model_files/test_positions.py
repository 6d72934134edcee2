"""The longest sequence of a language model, whichever way its config says it."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import GPT2Config, LlamaConfig, PretrainedConfig, Qwen2Config

from paretoken.model_files.positions import positions_of


@pytest.mark.parametrize(
    ("config", "positions"),
    [
        (Qwen2Config(max_position_embeddings=32_768), 32_768),
        (GPT2Config(n_positions=512), 512),
        (LlamaConfig(max_position_embeddings=4096,
                     rope_scaling={"type": "linear", "factor": 4.0}), 16_384),
        (Qwen2Config(max_position_embeddings=32_768,
                     rope_scaling={"rope_type": "yarn", "factor": 4.0,
                                   "original_max_position_embeddings": 32_768}), 131_072),
        (LlamaConfig(max_position_embeddings=131_072,
                     rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                   "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}),
         131_072),
        (PretrainedConfig(), None),
    ],
)  # fmt: skip
def test_positions(config: Any, positions: int | None) -> None:
    assert positions_of(config) == positions
