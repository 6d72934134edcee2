"""The projector from the compressor's width to the language model's."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    """LLaVA-1.5's ``mlp2x_gelu``, which is also TokenPacker's output layer.

    Args:
        width_in: channels of a visual token.
        width_out: hidden size of the language model.
        width_inner: channels between the two layers; None: ``width_out``.
        whiten: whether to apply a fixed affine map first (see `paretoken.train.whitening`).
    """

    input_mean: Tensor
    input_map: Tensor

    def __init__(
        self, width_in: int, width_out: int, width_inner: int | None = None, whiten: bool = False
    ) -> None:
        super().__init__()
        inner = width_out if width_inner is None else width_inner
        self.expand = nn.Linear(width_in, inner)
        self.activation = nn.GELU()
        self.output = nn.Linear(inner, width_out)
        self.whiten = whiten
        if whiten:  # buffers: stored with the weights, never trained
            self.register_buffer("input_mean", torch.zeros(width_in))
            self.register_buffer("input_map", torch.eye(width_in))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map visual tokens (images, V, width_in) to (images, V, width_out)."""
        if self.whiten:
            # DeepSpeed converts the layers to bf16, but not the buffers of the map.
            tokens = ((tokens - self.input_mean) @ self.input_map).to(self.expand.weight.dtype)
        projected: Tensor = self.output(self.activation(self.expand(tokens)))
        return projected

    @torch.no_grad()
    def set_input_map(self, mean: Tensor, matrix: Tensor) -> None:
        """Set the fixed map: subtract ``mean`` (width_in,), multiply by ``matrix``."""
        self.input_mean.copy_(mean)
        self.input_map.copy_(matrix)
