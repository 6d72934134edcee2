"""Dimensions of what was fetched, and what stands in for them while it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paretoken.errors import UserError
from paretoken.plan.expected_shapes import CLIP_L_336, llm_shape, vision_shape

QWEN = {"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 128, "vocab_size": 512}  # fmt: skip
BROKEN = ["", "{", "[]", "null", "[" * 100_000, json.dumps(QWEN | {"hidden_size": 0})]


@pytest.mark.parametrize("text", BROKEN)
def test_a_config_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    shape = llm_shape("new", tmp_path, tmp_path / "table.csv", None, 0.5)
    assert shape.origin == "guessed from its nominal size"
    assert vision_shape(tmp_path, 24) == CLIP_L_336


def test_a_fetched_config_is_the_truth(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    shape = llm_shape("new", tmp_path, tmp_path / "table.csv", None, 0.5)
    assert (shape.decoder.hidden, shape.origin) == (64, str(tmp_path / "config.json"))
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": 5}))
    assert vision_shape(tmp_path, 24) == CLIP_L_336


def test_a_fetched_encoder_has_the_grid_of_its_record(tmp_path: Path) -> None:
    tower = {"model_type": "clip_vision_model", "hidden_size": 32, "num_hidden_layers": 2,
             "intermediate_size": 64, "image_size": 224, "patch_size": 14}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(tower))
    assert vision_shape(tmp_path, 16).side == 16
    with pytest.raises(UserError, match="has 16 x 16 patches, its record says grid: 24; write grid: 16"):
        vision_shape(tmp_path, 24)
