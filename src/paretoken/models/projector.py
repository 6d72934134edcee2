"""From the compressor's width to the language model's."""

from __future__ import annotations

from torch import Tensor, nn


class Projector(nn.Module):
    """LLaVA-1.5's ``mlp2x_gelu``, which is also TokenPacker's output layer.

    Args:
        width_in: channels of a visual token.
        width_out: hidden size of the language model.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width_in, width_out)
        self.activation = nn.GELU()
        self.output = nn.Linear(width_out, width_out)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map visual tokens (images, V, width_in) to (images, V, width_out)."""
        projected: Tensor = self.output(self.activation(self.expand(tokens)))
        return projected
