"""The FLOPs of one answer, as plain arithmetic without numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from paretoken.compressors.specification import Sizes, linear_layers, specification
from paretoken.costs.shapes import DecoderShape, EncoderShape, decoder_shape, encoder_shape

__all__ = [
    "DecoderShape", "EncoderShape", "Work", "adapter_work", "decoder_shape", "decoder_work",
    "encoder_shape", "encoder_work", "flops_2nt",
]  # fmt: skip

if TYPE_CHECKING:  # the Snakefile sizes jobs with this module, and does without numpy
    import numpy as np
    from numpy.typing import NDArray

Number = TypeVar("Number", float, "NDArray[np.float64]")

#: FLOPs per parameter and token of a forward pass: one multiplication and one addition.
FLOPS_PER_PARAMETER = 2


def flops_2nt(params_b: Number, visual_tokens: Number, text_tokens: float) -> Number:
    """Return the inference cost 2 N (Q + V) in FLOPs, the paper's cost model (section 3.1).

    Attention, logits and the vision encoder are left out, as in the paper. Arrays broadcast.

    Args:
        params_b: N, billions of parameters.
        visual_tokens: V, visual tokens per image.
        text_tokens: Q, text tokens per question.
    """
    return FLOPS_PER_PARAMETER * params_b * 1e9 * (text_tokens + visual_tokens)


@dataclass(frozen=True)
class Work:
    """FLOPs of one forward pass through a part of a model.

    Attributes:
        first: products of weights with input from frozen parts.
        weights: other products with weights.
        attention: products of activations with each other.
        fixed: products of constants with input from frozen parts; no gradient passes through.
    """

    first: float = 0.0
    weights: float = 0.0
    attention: float = 0.0
    fixed: float = 0.0

    @property
    def forward(self) -> float:
        """FLOPs of a forward pass."""
        return self.first + self.weights + self.attention + self.fixed

    def training(self, learns: bool) -> float:
        """Return the FLOPs of a forward and a backward pass.

        In the backward pass, a product with weights costs as much again for the gradient of its input
        (not needed for ``first``) and, if the part learns, once more for the gradient of the weights.
        A product of two activations costs twice as much for the gradients of both.

        Args:
            learns: whether the weights are trained.
        """
        learned = (1 + learns) * self.first + (2 + learns) * self.weights
        return learned + 3 * self.attention + self.fixed


def decoder_work(shape: DecoderShape, lengths: Sequence[float], logits: float) -> Work:
    """Return the FLOPs of a language model's forward pass over sequences without padding.

    Counted as matrix products of 2 m n k FLOPs, attention over the full square of positions, as
    `torch.utils.flop_counter` does (a causal kernel may skip half of the square).

    Args:
        shape: dimensions of the language model.
        lengths: tokens of each sequence (visual and text).
        logits: number of positions whose logits are computed.
    """
    tokens, square = float(sum(lengths)), float(sum(length**2 for length in lengths))
    weights = shape.layers * shape.layer_weights * tokens + shape.vocabulary * shape.hidden * logits
    attention = 2 * shape.layers * shape.heads * shape.head_width * square
    return Work(weights=FLOPS_PER_PARAMETER * weights, attention=FLOPS_PER_PARAMETER * attention)


def encoder_work(shape: EncoderShape) -> Work:
    """Return the FLOPs of encoding one image, with the class token and without pooling."""
    tokens = shape.tokens
    patches = shape.side**2 * shape.channels * shape.patch**2 * shape.width
    layer = tokens * shape.width * (4 * shape.width + 2 * shape.intermediate)
    square = 2 * tokens**2 * shape.width
    return Work(
        first=FLOPS_PER_PARAMETER * patches,
        weights=FLOPS_PER_PARAMETER * shape.layers * layer,
        attention=FLOPS_PER_PARAMETER * shape.layers * square,
    )


def adapter_parameters(
    compressor: str,
    width: int,
    joined: int,
    hidden: int,
    inner: int | None = None,
    visual_tokens: float = 1,
    side: int = 1,
) -> int:
    """Return the parameters of compressor and projector; the arguments are those of `adapter_work`."""
    inner = hidden if inner is None else inner
    sizes = Sizes(visual_tokens, side, width, joined, hidden)
    facts = specification(compressor)
    own = 0 if facts.parameters is None else facts.parameters(sizes)
    return own + linear_layers(facts.channels(sizes), inner, hidden)


def adapter_work(
    compressor: str,
    visual_tokens: float,
    side: int,
    width: int,
    joined: int,
    hidden: int,
    inner: int | None = None,
    whitened: bool = False,
) -> Work:
    """Return the FLOPs of compressing and projecting one image.

    Args:
        compressor: a registered compressor.
        visual_tokens: V.
        side: patches per side of the encoder's grid.
        width: channels of one encoder layer.
        joined: channels of the concatenated layers.
        hidden: hidden size of the language model.
        inner: channels between the projector's layers; None: ``hidden``.
        whitened: whether a fixed whitening map precedes the projector.
    """
    if visual_tokens == 0:
        return Work()
    inner = hidden if inner is None else inner
    sizes = Sizes(visual_tokens, side, width, joined, hidden)
    facts = specification(compressor)
    made = facts.products(sizes)
    tokens, channels = facts.projected(sizes), facts.channels(sizes)
    expand, output = tokens * channels * inner, tokens * inner * hidden
    learns = facts.learns  # otherwise the projector has the first product
    return Work(
        first=FLOPS_PER_PARAMETER * (made.first + expand * (not learns)),
        weights=FLOPS_PER_PARAMETER * (made.weights + expand * learns + output),
        attention=FLOPS_PER_PARAMETER * made.attention,
        fixed=FLOPS_PER_PARAMETER * (made.fixed + tokens * channels**2 * whitened),
    )
