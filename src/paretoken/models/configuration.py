"""The configuration of a `ParetokenModel`, which is stored in its ``config.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import AutoConfig, PretrainedConfig

from paretoken.compressors.reach import require_reachable
from paretoken.compressors.specification import specification
from paretoken.errors import UserError


def resolve_layer(layer: int, depth: int) -> int:
    """Return the index into ``hidden_states`` (0: embeddings, ``depth``: last) of a layer.

    Negative numbers count from the end, as in `transformers`: -1 is the last layer, -2 the one
    that LLaVA uses.

    Raises:
        UserError: the encoder does not have the layer.
    """
    index = layer + depth + 1 if layer < 0 else layer
    if 0 <= index <= depth:
        return index
    raise UserError(
        f"the vision encoder has no hidden layer {layer}; write 0 to {depth}, or -{depth + 1} to -1"
    )


class ParetokenConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Configuration of a `ParetokenModel`.

    Args:
        text_config: configuration of the language model.
        vision_config: configuration of the encoder; None for a model without one, which accepts
            precomputed features only.
        compressor: a registered compressor.
        visual_tokens: V; 0 for a model that never sees the image.
        grid_side: patches per side of the encoder's grid.
        vision_width: channels of one encoder layer.
        feature_layers: the encoder layers that ``features`` hold, ascending ``hidden_states`` indices.
        layers: those of them that the compressor concatenates (keys and values of `tokenpacker`).
        query_layer: the one of them from which `tokenpacker` and `quecc` compute their queries.
        attention_layers: indices of the encoder's last attention in the features, for `prumerge`.
        normalise_features: normalise each layer's features to mean 0, variance 1 per patch.
        compressor_heads: number of attention heads, for compressors with attention; None: that of the
            compressor's authors.
        init_std: standard deviation of new weights; None: that of the compressor's authors.
        projector_width: channels between the projector's layers; None: the language model's width.
        whiten: whether a fixed map whitens the inputs of the projector.
        image_token_id: id of the placeholder that visual tokens replace; never embedded.
        template: how questions are rendered: ``chat`` (the tokenizer's template), ``plain`` or a name.
        image_aspect: how images are made square: ``pad`` or ``crop``.
        question_length: most tokens of a question, for compressors that read it.
        encoder_hash: hash of the encoder's weights in training; None in models of older versions.
    """

    model_type = "paretoken"
    sub_configs = {"text_config": AutoConfig, "vision_config": AutoConfig}  # noqa: RUF012

    def __init__(
        self,
        text_config: PretrainedConfig | dict[str, Any] | None = None,
        vision_config: PretrainedConfig | dict[str, Any] | None = None,
        *,
        compressor: str = "none",
        visual_tokens: int = 0,
        grid_side: int = 1,
        vision_width: int = 1,
        feature_layers: Sequence[int] = (0,),
        layers: Sequence[int] = (0,),
        query_layer: int = 0,
        attention_layers: Sequence[int] = (),
        normalise_features: bool = False,
        compressor_heads: int | None = None,
        init_std: float | None = None,
        projector_width: int | None = None,
        whiten: bool = False,
        image_token_id: int = 0,
        template: str = "chat",
        image_aspect: str = "pad",
        question_length: int | None = None,
        encoder_hash: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.text_config = _sub_config(text_config, "qwen2")
        self.vision_config = None if vision_config is None else _sub_config(vision_config, "clip")
        self.compressor = compressor
        self.visual_tokens = require_reachable(compressor, grid_side, visual_tokens)
        self.grid_side = grid_side
        self.vision_width = vision_width
        self.feature_layers = sorted(feature_layers)
        self.layers = list(layers)
        self.query_layer = query_layer
        self.attention_layers = list(attention_layers)
        self.normalise_features = normalise_features
        self.compressor_heads = compressor_heads or specification(compressor).heads
        self.init_std = init_std
        self.projector_width = projector_width
        self.whiten = whiten
        self.image_token_id = image_token_id
        self.template = template
        self.encoder_hash = encoder_hash
        self.image_aspect = image_aspect
        self.question_length = question_length
        self._require_consistent()
        kwargs.setdefault(
            "tie_word_embeddings", bool(getattr(self.text_config, "tie_word_embeddings", False))
        )
        super().__init__(**kwargs)

    def _require_consistent(self) -> None:
        """Raise `UserError` if the compressor cannot be whitened, or reads layers that are missing."""
        if self.whiten and specification(self.compressor).learns:
            raise UserError(
                f"{self.compressor} cannot be combined with whiten: the map is measured before stage 1, "
                "and no longer fits once the compressor is trained; use none or average_pool"
            )
        read = {*self.layers, self.query_layer, *self.attention_layers}
        missing = sorted(read - set(self.feature_layers))
        if missing:
            raise UserError(
                f"the compressor needs the encoder layers {missing}, but the features hold "
                f"{self.feature_layers}; compute them with `paretoken features --layers ...`"
            )


def _sub_config(config: PretrainedConfig | dict[str, Any] | None, default: str) -> PretrainedConfig:
    if isinstance(config, PretrainedConfig):
        return config
    fields = dict(config or {})
    return AutoConfig.for_model(fields.pop("model_type", default), **fields)
