"""Parameter counts by arithmetic, against models on the meta device and the published table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from paretoken.costs.answer_work import decoder_shape, encoder_shape
from paretoken.costs.shapes import FAMILIES
from paretoken.errors import UserError

SIZES: dict[str, Any] = {
    "vocab_size": 100, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": None, "eos_token_id": None,
    "pad_token_id": 0,
}  # fmt: skip


def on_meta(auto_class: Any, config: Any) -> int:
    with torch.device("meta"):
        model = auto_class.from_config(config)
    model.tie_weights()
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_counted_exactly(family: str, tied: bool) -> None:
    config = AutoConfig.for_model(family, **SIZES, tie_word_embeddings=tied)
    expected = on_meta(AutoModelForCausalLM, config)
    assert decoder_shape(config.to_dict()).parameters()["total"] == expected
    # What a config.json holds: the differences from the family's defaults only.
    brief = {"model_type": family, **config.to_diff_dict()}
    assert decoder_shape(brief).parameters()["total"] == expected


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("llama", {"attention_bias": True, "mlp_bias": True}),
        ("llama", {"head_dim": 16}),
        ("qwen3", {"attention_bias": True, "head_dim": 16}),
        ("mistral", {"head_dim": 16}),
        ("gemma2", {"attention_bias": True, "head_dim": 16}),
        ("llama", {"num_key_value_heads": None}),
    ],
)
def test_options_of_a_family_are_counted(family: str, options: dict[str, Any]) -> None:
    config = AutoConfig.for_model(family, **SIZES | options)
    expected = on_meta(AutoModelForCausalLM, config)
    assert decoder_shape(config.to_dict()).parameters()["total"] == expected


@pytest.mark.parametrize("options", [{}, {"vision_use_head": False}])
def test_siglip_towers_are_counted_exactly(options: dict[str, bool]) -> None:
    config = AutoConfig.for_model("siglip_vision_model", hidden_size=32, intermediate_size=48,
                                  num_hidden_layers=3, num_attention_heads=4, image_size=28,
                                  patch_size=4, **options)  # fmt: skip
    assert encoder_shape(config.to_dict()).parameters() == on_meta(AutoModel, config)


def test_clip_and_siglip_at_their_published_sizes() -> None:
    clip = AutoConfig.for_model("clip_vision_model", hidden_size=1024, intermediate_size=4096,
                                num_hidden_layers=24, num_attention_heads=16, image_size=336,
                                patch_size=14)  # fmt: skip
    assert encoder_shape(clip.to_dict()).parameters() == on_meta(AutoModel, clip) == 303_507_456
    siglip = AutoConfig.for_model("siglip_vision_model", hidden_size=1152, intermediate_size=4304,
                                  num_hidden_layers=27, num_attention_heads=16, image_size=384,
                                  patch_size=14)  # fmt: skip
    assert encoder_shape(siglip.to_dict()).parameters() == on_meta(AutoModel, siglip) == 428_225_600


def rows(project: Path) -> list[dict[str, str]]:
    with (project / "workflow" / "reference" / "llm_dimensions.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_the_published_dimensions_give_the_published_counts(project: Path) -> None:
    read = rows(project)
    assert [row["llm"] for row in read] == [
        "qwen1.5-0.5b", "qwen1.5-1.8b", "qwen1.5-4b", "qwen1.5-7b", "qwen1.5-14b", "vicuna-1.5-7b"
    ]  # fmt: skip
    for row in read:
        vicuna = row["llm"].startswith("vicuna")
        heads = int(row["heads"])
        config = AutoConfig.for_model(
            "llama" if vicuna else "qwen2",
            vocab_size=int(row["vocab"]),
            hidden_size=int(row["hidden"]),
            intermediate_size=int(row["intermediate"]),
            num_hidden_layers=int(row["layers"]),
            num_attention_heads=heads,
            num_key_value_heads=heads,
            tie_word_embeddings=row["tied_embeddings"] == "true",
        )
        counts = decoder_shape(config.to_dict()).parameters()
        assert counts["total"] == on_meta(AutoModelForCausalLM, config)
        assert counts["total"] == pytest.approx(1e9 * float(row["total_params_b"]), rel=1e-3)
        assert counts["non_embedding"] == pytest.approx(
            1e9 * float(row["nonembedding_params_b"]), rel=2e-3
        )


@pytest.mark.parametrize("family", ["gpt2", "mixtral", "phi", "mamba"])
def test_other_families_are_refused_by_name(family: str) -> None:
    with pytest.raises(
        UserError, match=f"unsupported language model type '{family}'; write one of: llama"
    ):
        decoder_shape({**SIZES, "model_type": family})


def test_other_encoders_are_refused_by_name() -> None:
    with pytest.raises(
        UserError, match="unsupported vision encoder type 'dinov2'; write one of: clip_vision_model"
    ):
        encoder_shape({"model_type": "dinov2"})
