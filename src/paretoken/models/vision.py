"""The frozen vision encoder, which returns several hidden layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig

from paretoken.compressors.specification import specification
from paretoken.costs.shapes import ENCODERS
from paretoken.errors import UserError
from paretoken.model_files.pretrained import load_pretrained, load_weights

#: Most numbers in all hidden layers of the images that are encoded at once (8 GiB): 145 images of CLIP.
MOST_NUMBERS = 2**31


def grid_side(config: PretrainedConfig) -> int:
    """Return the patches per side of the encoder's grid."""
    return int(config.image_size // config.patch_size)


def read_vision_config(folder: Path) -> PretrainedConfig:
    """Return the vision configuration in ``folder`` (or that of the vision half of a CLIP model).

    Raises:
        UserError: it is missing, or `paretoken.costs.shapes` does not support its family.
    """
    whole = load_pretrained(AutoConfig, folder)
    config: PretrainedConfig = getattr(whole, "vision_config", whole)
    if config.model_type not in ENCODERS:
        raise UserError(
            f"{folder} holds a {config.model_type!r}; a vision encoder must be one of: "
            f"{', '.join(ENCODERS)} (or a whole clip or siglip model)"
        )
    return config


def require_image_size(config: PretrainedConfig, pixels: int, folder: Path) -> None:
    """Raise `UserError` if an encoder's preprocessor makes images of a size that it does not take."""
    if pixels != config.image_size:
        raise UserError(
            f"{folder}: its preprocessor makes images of {pixels} pixels, but its encoder takes "
            f"{config.image_size}; use the preprocessor and the encoder of one model"
        )


def require_grid(side: int, wanted: int | None, what: str) -> None:
    """Raise `UserError` if an encoder's grid differs from the one in its record (None: any grid)."""
    if wanted is not None and side != wanted:
        raise UserError(
            f"{what} has a grid of {side} x {side} patches, but its record says grid: {wanted}; write "
            f"grid: {side} in the config, or give another encoder"
        )


def attention_layers(depth: int) -> tuple[int, int]:
    """Return the indices of the encoder's last attention in features, after all layers.

    The first index is that of the last layer's keys (patches, width); the second is that of the class
    token's attention to each patch (one full-width head), with the same number in all channels. See
    LLaVA-PruMerge (https://arxiv.org/abs/2403.15388).
    """
    return depth + 1, depth + 2


def normalise(features: Tensor) -> Tensor:
    """Return features normalised to mean 0 and variance 1 over the channels of each patch."""
    return functional.layer_norm(features, features.shape[-1:])


class VisionEncoder(nn.Module):
    """A frozen vision tower such as `CLIPVisionModel` or `SiglipVisionModel`.

    Args:
        config: the tower's configuration.
        layers: ``hidden_states`` indices to return (0: embeddings), and `attention_layers`.
        normalised: whether hidden states are normalised, see `normalise`.
        tower: a loaded tower; None: create one with random weights.
        side: patches per side of the encoded images; images are resized if it is not the grid's. None:
            the grid's.

    Raises:
        UserError: the last attention is requested, but the tower has no class token; or one image has
            more than `MOST_NUMBERS` numbers in all layers.
    """

    def __init__(
        self,
        config: PretrainedConfig,
        layers: Sequence[int],
        normalised: bool = False,
        tower: nn.Module | None = None,
        side: int | None = None,
    ) -> None:
        super().__init__()
        auto: Any = AutoModel  # its methods are untyped
        self.tower = auto.from_config(config, trust_remote_code=False) if tower is None else tower
        self.layers, self.normalised = tuple(layers), normalised
        self.side = grid_side(config) if side is None else side
        self.smaller = self.side != grid_side(config)
        self.patches, self.pixels = self.side**2, self.side * config.patch_size
        self.depth = config.num_hidden_layers
        self.guided = [layer for layer in layers if layer > self.depth]
        if self.guided and not hasattr(self.tower, "pre_layrnorm"):
            raise UserError(
                f"prumerge needs an encoder with a class token, such as CLIP's; this one is a "
                f"{config.model_type!r}: remove prumerge and prumerge_plus"
            )
        numbers = (self.depth + 1) * (self.patches + 1) * config.hidden_size
        if numbers > MOST_NUMBERS:
            raise UserError(
                f"an encoder of {self.depth:,} layers and {self.patches:,} patches of width "
                f"{config.hidden_size:,} makes {numbers:,} numbers of one image; "
                f"at most {MOST_NUMBERS:,} are allowed: use a smaller encoder"
            )
        #: Most images that can be encoded at once.
        self.at_once = MOST_NUMBERS // numbers
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, pixel_values: Tensor) -> Tensor:
        """Return the features of images.

        Args:
            pixel_values: (images, channels, height, width), as the image processor made them.

        Returns:
            (images, layers, patches, width): features of the patches, without the class token, which
            CLIP puts first and SigLIP does not have.
        """
        options: dict[str, Any] = {}
        if self.smaller:
            pixel_values = functional.interpolate(
                pixel_values.float(), size=(self.pixels, self.pixels), mode="bicubic", antialias=True
            )
            options["interpolate_pos_encoding"] = True
        states = self.tower(
            pixel_values=pixel_values, output_hidden_states=True, **options
        ).hidden_states
        plain = [layer for layer in self.layers if layer <= self.depth]
        features = torch.stack([states[layer][:, -self.patches :] for layer in plain], dim=1)
        features = normalise(features) if self.normalised else features
        if not self.guided:
            return features
        last = dict(zip(attention_layers(self.depth), self._attention(states[-2]), strict=True))
        return torch.cat([features, torch.stack([last[n] for n in self.guided], dim=1)], dim=1)

    def _attention(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and scores of the last layer (images, patches, width) from its input."""
        tower: Any = self.tower
        layer = tower.encoder.layers[-1]
        inputs = layer.layer_norm1(state)
        keys, query = layer.self_attn.k_proj(inputs), layer.self_attn.q_proj(inputs[:, :1])
        weights = (query @ keys.transpose(1, 2) * keys.shape[-1] ** -0.5).float().softmax(-1)
        scores = weights[:, 0, 1:, None].to(keys.dtype)  # from the class token to the patches
        return keys[:, 1:], scores.expand_as(keys[:, 1:])


def encoded_side(compressor: str, tokens: int) -> int | None:
    """Return the patches per side of the encoded images for a compressor; None: the encoder's grid."""
    return round(tokens**0.5) if tokens and specification(compressor).smaller_images else None


def load_encoder(
    folder: Path, layers: Sequence[int], normalised: bool, side: int | None = None
) -> VisionEncoder:
    """Load a frozen encoder from a directory that `from_pretrained` reads; see `VisionEncoder`.

    Raises:
        UserError: the directory or its weights cannot be read.
    """
    config = read_vision_config(folder)
    if hasattr(config, "vision_use_head"):
        config.vision_use_head = False  # SigLIP's pooling head: hidden states do not depend on it
    tower = load_weights(AutoModel, folder, config=config)
    return VisionEncoder(config, layers, normalised, tower, side).eval()
