"""Base classes and helpers of the compressors' modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from paretoken.compressors.specification import Specification
from paretoken.registry import imported


@dataclass(frozen=True)
class Layout:
    """The layout of a compressor's input in features (images, layers, patches, width)."""

    side: int
    width: int
    layers: tuple[int, ...]  # positions on the layer axis that are concatenated
    query: int  # position on the layer axis of the layer that queries are taken from
    heads: int  # of attention; ignored without any
    text: int = 0  # channels of a question's embedding: the language model's hidden size
    attention: tuple[int, int] | None = (
        None  # positions of the last keys and of the class token's scores
    )

    @property
    def joined_width(self) -> int:
        """Number of channels of the concatenated layers."""
        return self.width * len(self.layers)


class Compressor(nn.Module):
    """Base class; a subclass sets `width` (channels of a visual token) and defines `forward`.

    An elastic compressor is trained with all its tokens, and `reduce` makes fewer of them after the
    projector. The `Specification` of a compressor has its other properties.
    """

    width: int

    def __init__(self, layout: Layout, tokens: int) -> None:
        super().__init__()
        self.layout, self.tokens = layout, tokens
        self.region = layout.side // max(1, round(tokens**0.5))

    def forward(self, features: Tensor) -> Tensor:
        """Map (images, layers, patches, width) to visual tokens (images, V, self.width)."""
        raise NotImplementedError

    def reduce(self, projected: Tensor, tokens: int) -> Tensor:
        """Reduce projected tokens (images, most, hidden) to ``tokens`` per image, if it is elastic."""
        return projected

    def joined(self, features: Tensor) -> Tensor:
        """Return the chosen layers concatenated on channels: (images, patches, joined_width)."""
        return join(features, self.layout.layers)


class Adaptive(Compressor):
    """A compressor that can also give each image its own number of tokens."""

    def adaptive(self, features: Tensor) -> list[Tensor]:
        """Return as many tokens as each image needs, one tensor (tokens, self.width) per image."""
        raise NotImplementedError


def module_of(specification: Specification) -> type[Compressor]:
    """Import and return the module of a compressor."""
    kind: type[Compressor] = imported(specification.module)
    return kind


def join(features: Tensor, layers: Sequence[int]) -> Tensor:
    """Concatenate layers on channels: (images, L, patches, width) -> (images, patches, l width)."""
    if len(layers) == 1:
        return features[:, layers[0]]
    chosen = features[:, list(layers)].transpose(1, 2)
    return chosen.flatten(2)


def regions(patches: Tensor, side: int, size: int) -> Tensor:
    """Cut a grid of patches into square regions.

    Args:
        patches: (images, side * side, channels), row by row.
        side: patches per side.
        size: s, patches per side of a region; divides ``side``.

    Returns:
        (images, (side / s)^2, s * s, channels): regions row by row, patches of each row by row.
    """
    images, _, channels = patches.shape
    n = side // size
    grid = patches.view(images, n, size, n, size, channels)
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(images, n * n, size * size, channels)
