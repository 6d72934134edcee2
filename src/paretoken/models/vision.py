"""The frozen vision encoder, several of whose hidden layers can be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig

from paretoken.errors import UserError
from paretoken.pretrained import load_pretrained, load_weights
from paretoken.shapes import ENCODERS


def grid_side(config: PretrainedConfig) -> int:
    """Return the patches per side of the encoder's grid."""
    return int(config.image_size // config.patch_size)


def read_vision_config(folder: Path) -> PretrainedConfig:
    """Return the vision configuration in ``folder`` (or that of the vision half of a CLIP model).

    Raises:
        UserError: there is none, or it is of a family that `paretoken.shapes` does not count.
    """
    whole = load_pretrained(AutoConfig, folder)
    config: PretrainedConfig = getattr(whole, "vision_config", whole)
    if config.model_type not in ENCODERS:
        raise UserError(
            f"{folder} holds a {config.model_type!r}; a vision encoder must be one of: "
            f"{', '.join(ENCODERS)} (or a whole clip or siglip model)"
        )
    return config


def normalise(features: Tensor) -> Tensor:
    """Return features with mean 0 and variance 1 over the channels of each patch (no weights)."""
    return functional.layer_norm(features, features.shape[-1:])


class VisionEncoder(nn.Module):
    """A tower such as `CLIPVisionModel` or `SiglipVisionModel` that is never trained.

    Args:
        config: the tower's configuration.
        layers: ``hidden_states`` indices to return (0: embeddings).
        normalised: whether `normalise` is applied.
        tower: a loaded tower; without one it is made with random weights.
    """

    def __init__(
        self,
        config: PretrainedConfig,
        layers: Sequence[int],
        normalised: bool = False,
        tower: nn.Module | None = None,
    ) -> None:
        super().__init__()
        auto: Any = AutoModel  # its methods are untyped
        self.tower = auto.from_config(config) if tower is None else tower
        self.layers, self.normalised = tuple(layers), normalised
        self.patches = grid_side(config) ** 2
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, pixel_values: Tensor) -> Tensor:
        """Return the features of images.

        Args:
            pixel_values: (images, channels, height, width), as the image processor made them.

        Returns:
            (images, layers, patches, width): patch features without the class token, which CLIP puts
            in front of them and SigLIP does not have.
        """
        states = self.tower(pixel_values=pixel_values, output_hidden_states=True).hidden_states
        features = torch.stack([states[layer][:, -self.patches :] for layer in self.layers], dim=1)
        return normalise(features) if self.normalised else features


def load_encoder(folder: Path, layers: Sequence[int], normalised: bool) -> VisionEncoder:
    """Load a frozen encoder from a directory that `from_pretrained` reads.

    Raises:
        UserError: the directory or its weights cannot be read.
    """
    config = read_vision_config(folder)
    if hasattr(config, "vision_use_head"):
        config.vision_use_head = False  # SigLIP's pooling: no hidden state depends on it
    tower = load_weights(AutoModel, folder, config=config)
    return VisionEncoder(config, layers, normalised, tower).eval()
