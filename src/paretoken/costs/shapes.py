"""Dimensions and parameter counts of backbones, computed from their configs by plain arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paretoken.errors import UserError
from paretoken.io.escape import shown

#: Share by which a parameter count may differ from the expected one.
TOLERANCE = 1e-3


def require_size(found: int, wanted: int | None, source: str, key: str) -> None:
    """Raise unless a model has the expected number of parameters.

    Args:
        found: number of parameters that the model's config describes.
        wanted: expected number of parameters; None: any.
        source: what messages call the model.
        key: the key or option with ``wanted``.

    Raises:
        UserError: the counts differ by more than 0.1 %.
    """
    if wanted is not None and abs(found - wanted) > TOLERANCE * wanted:
        raise UserError(
            f"{source} has {found:,} parameters, but {key} says {wanted:,}: the difference is "
            f"{abs(found / wanted - 1):.2%}, and 0.1 % is allowed; is it the right model?"
        )


@dataclass(frozen=True)
class DecoderShape:
    """Dimensions of a decoder-only language model.

    Attributes:
        hidden: width of the residual stream.
        layers: number of blocks.
        heads: number of query heads.
        kv_heads: number of key and value heads.
        head_width: channels of one head.
        intermediate: width of the MLP.
        vocabulary: rows of the embedding, possibly more than the tokenizer's tokens.
        tied: whether the output layer is the embedding.
        query_key_value_bias: whether these three projections have biases.
        gated: whether the MLP has a gate (three matrices instead of two).
        output_bias: whether the attention's output projection has a bias.
        mlp_bias: whether the MLP's matrices have biases.
        norms: number of norms per block, each with ``hidden`` weights.
        query_key_norm: whether queries and keys are normalised per head.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    intermediate: int
    vocabulary: int
    tied: bool
    query_key_value_bias: bool = False
    gated: bool = True
    output_bias: bool = False
    mlp_bias: bool = False
    norms: int = 2
    query_key_norm: bool = False

    @property
    def layer_weights(self) -> int:
        """Number of weights in the matrices of one layer."""
        attention = self.hidden * self.head_width * (2 * self.heads + 2 * self.kv_heads)
        return attention + (3 if self.gated else 2) * self.hidden * self.intermediate

    @property
    def layer_vectors(self) -> int:
        """Number of weights in the biases and norms of one layer."""
        bias = self.query_key_value_bias * self.head_width * (self.heads + 2 * self.kv_heads)
        mlp = self.mlp_bias * ((2 if self.gated else 1) * self.intermediate + self.hidden)
        norms = self.norms * self.hidden + 2 * self.query_key_norm * self.head_width
        return bias + self.output_bias * self.hidden + mlp + norms

    def parameters(self) -> dict[str, int]:
        """Return ``total`` and ``non_embedding`` parameter counts.

        Non-embedding leaves out the embedding and the output layer, as the N of Kaplan et al. (2020,
        section 2.1) does; norms and biases are included in both.
        """
        body = self.layers * (self.layer_weights + self.layer_vectors) + self.hidden
        embedding = self.vocabulary * self.hidden
        return {"total": body + embedding * (1 if self.tied else 2), "non_embedding": body}


#: Supported families of language models (``model_type``), and how their blocks differ from Llama's. A
#: bias is True, False, or the config key that says whether there is one.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {
        "query_key_value_bias": "attention_bias",
        "output_bias": "attention_bias",
        "mlp_bias": "mlp_bias",
    },
    "mistral": {},
    "qwen2": {"query_key_value_bias": True},  # Qwen1.5 and Qwen2.5, too
    "qwen3": {
        "query_key_value_bias": "attention_bias",
        "output_bias": "attention_bias",
        "query_key_norm": True,
    },
    "phi3": {},
    "gemma": {"query_key_value_bias": "attention_bias", "output_bias": "attention_bias"},
    "gemma2": {
        "query_key_value_bias": "attention_bias",
        "output_bias": "attention_bias",
        "norms": 4,
    },
    "gemma3_text": {
        "query_key_value_bias": "attention_bias",
        "output_bias": "attention_bias",
        "norms": 4,
        "query_key_norm": True,
    },
}

#: Families whose default is to tie the output layer to the embedding. `transformers` leaves defaults
#: out of a config.
TIED = ("gemma", "gemma2", "gemma3_text")
#: Channels of one head in families that have a default.
HEAD_WIDTHS = {"gemma": 256, "gemma2": 256, "gemma3_text": 256, "qwen3": 128}


def decoder_shape(config: Mapping[str, Any]) -> DecoderShape:
    """Return the dimensions in a language model's ``config.json``.

    Raises:
        UserError: a dimension is missing, or the family is not in `FAMILIES` (counting it as another
            one would be silently wrong).
    """
    family = config.get("model_type")
    if family is not None and family not in FAMILIES:
        raise UserError(
            f"unsupported language model type {shown(family)}; write one of: {', '.join(FAMILIES)}, or "
            "describe the family in paretoken.costs.shapes.FAMILIES"
        )
    if family is None:
        raise UserError(
            "the language model's config has no 'model_type', which FLOPs are computed from; add it"
        )

    def size(key: str) -> int:
        return _dimension(config, key, "language model")

    hidden, heads = size("hidden_size"), size("num_attention_heads")
    own_width = size("head_dim") if config.get("head_dim") else HEAD_WIDTHS.get(family)
    differences = {
        name: bool(config.get(value, False)) if isinstance(value, str) else value
        for name, value in FAMILIES[family].items()
    }
    shape = DecoderShape(
        hidden=hidden,
        layers=size("num_hidden_layers"),
        heads=heads,
        kv_heads=size("num_key_value_heads") if config.get("num_key_value_heads") else heads,
        head_width=own_width or hidden // heads,
        intermediate=size("intermediate_size"),
        vocabulary=size("vocab_size"),
        tied=bool(config.get("tie_word_embeddings", family in TIED)),
        **differences,
    )
    _require_at_most(MOST_PARAMETERS, shape.parameters()["total"], "parameters", "language model")
    return shape


@dataclass(frozen=True)
class EncoderShape:
    """Dimensions of a CLIP-like vision encoder.

    Attributes:
        width: channels of a hidden state.
        layers: number of blocks.
        intermediate: width of the MLP.
        side: patches per side of the grid.
        patch: pixels per side of a patch.
        channels: channels of the image.
        siglip: whether it has SigLIP's form: no class token, no first norm, biased patch embedding.
        pooling: whether it has SigLIP's attention pooling, which `paretoken` does not use.
    """

    width: int
    layers: int
    intermediate: int
    side: int
    patch: int
    channels: int = 3
    siglip: bool = False
    pooling: bool = False

    @property
    def tokens(self) -> int:
        """Tokens of one image."""
        return self.side**2 + (not self.siglip)

    def parameters(self) -> int:
        """Return the parameters of the tower (`CLIPVisionModel`, `SiglipVisionModel`)."""
        w = self.width
        mlp = 2 * w * self.intermediate + self.intermediate + w
        block = 4 * (w * w + w) + mlp + 4 * w
        embeddings = self.channels * self.patch**2 * w + self.tokens * w
        around = 3 * w if self.siglip else w + 4 * w  # patch bias, last norm; or class token, two norms
        pooling = self.pooling * (w + 4 * (w * w + w) + 2 * w + mlp)
        return embeddings + around + self.layers * block + pooling


#: Largest plausible dimension of a model; a larger one means that the file is damaged.
LARGEST = 10**8
#: The same for the number of parameters, and for the tokens of one image.
MOST_PARAMETERS, MOST_TOKENS = 10**13, 100_000

#: Supported encoders (``model_type``).
ENCODERS = ("clip_vision_model", "siglip_vision_model")


def encoder_shape(config: Mapping[str, Any]) -> EncoderShape:
    """Return the dimensions in a vision encoder's ``config.json``.

    Raises:
        UserError: a dimension is missing, or the encoder is not in `ENCODERS`.
    """
    family = config.get("model_type")
    if family not in ENCODERS:
        raise UserError(
            f"unsupported vision encoder type {shown(family)}; write one of: {', '.join(ENCODERS)}"
        )
    siglip = family == "siglip_vision_model"

    def size(key: str) -> int:
        return _dimension(config, key, "vision encoder")

    shape = EncoderShape(
        width=size("hidden_size"),
        layers=size("num_hidden_layers"),
        intermediate=size("intermediate_size"),
        side=size("image_size") // size("patch_size"),
        patch=size("patch_size"),
        channels=size("num_channels") if "num_channels" in config else 3,
        siglip=siglip,
        pooling=siglip and bool(config.get("vision_use_head", True)),
    )
    _require_at_most(MOST_TOKENS, shape.tokens, "tokens per image", "vision encoder")
    _require_at_most(MOST_PARAMETERS, shape.parameters(), "parameters", "vision encoder")
    return shape


def _dimension(config: Mapping[str, Any], key: str, what: str) -> int:
    if key not in config:
        raise UserError(f"the {what}'s config has no {key!r}, which FLOPs are computed from; add it")
    value = config[key]
    if not isinstance(value, int) or not 0 < value <= LARGEST:
        raise UserError(
            f"the {what}'s config has {key} = {shown(value)}; it must be a whole number from 1 to "
            f"{LARGEST:,}"
        )
    return value


def _require_at_most(limit: int, found: int, what: str, whose: str) -> None:
    if found > limit:
        raise UserError(
            f"the {whose}'s config describes {found:,} {what}, but at most {limit:,} are plausible; "
            "the file is damaged: fetch it again"
        )
