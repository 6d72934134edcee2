"""New compressors and projectors, and the parameters that each stage trains."""

from __future__ import annotations

from torch import nn

from paretoken.compressors.base import Compressor, Layout, module_of
from paretoken.compressors.specification import specification
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.projector import Projector


def new_adapter(config: ParetokenConfig) -> tuple[Compressor | None, Projector | None]:
    """Return a new compressor and projector with random weights; None and None for V = 0.

    New weights follow the authors of the compressor: truncated normal with their standard deviation and
    zero biases if they set one, and torch's defaults otherwise.
    """
    if config.visual_tokens == 0:
        return None, None
    facts = specification(config.compressor)
    position = {layer: i for i, layer in enumerate(config.feature_layers)}
    layout = Layout(
        side=config.grid_side,
        width=config.vision_width,
        layers=tuple(position[layer] for layer in config.layers),
        query=position[config.query_layer],
        heads=config.compressor_heads,
        text=config.text_config.hidden_size,
        attention=_pair([position[layer] for layer in config.attention_layers]),
    )
    compressor = module_of(facts)(layout, config.visual_tokens)
    projector = Projector(
        compressor.width, config.text_config.hidden_size, config.projector_width, config.whiten
    )
    std = facts.init_std if config.init_std is None else config.init_std
    if std is not None:
        for module in [*compressor.modules(), *projector.modules()]:
            _initialise(module, std)
    return compressor, projector


def _pair(places: list[int]) -> tuple[int, int] | None:
    return (places[0], places[1]) if places else None


def _initialise(module: nn.Module, std: float) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def trainable_prefixes(stage: str) -> tuple[str, ...]:
    """Return the name prefixes of the parameters that a stage trains; the encoder is never trained."""
    adapter = ("compressor.", "projector.")
    return adapter if stage == "pretrain" else (*adapter, "language_model.")


def freeze_all_but(model: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Freeze all parameters except those whose names start with one of ``prefixes``."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(prefixes))
