"""What a training step holds in a device's memory: plain arithmetic, rough on the safe side.

Weights, gradients and optimiser state do not depend on the micro batch; activations grow with it.
Counted for one device, in bytes. The bookkeeping of ZeRO follows Rajbhandari et al. (2020, section 3),
that of activations Korthikanti et al. (2022, section 4), for gated MLPs and without dropout.
"""

from __future__ import annotations

from dataclasses import dataclass

from paretoken.cost import DecoderShape, EncoderShape

#: Share of the memory that is planned for: the rest is for fragments, buckets and the framework.
USABLE = 0.9

FP32, BF16 = 4, 2


def state_bytes(trained: float, frozen: float, bf16: bool, zero: int, devices: int) -> float:
    """Return the bytes of weights, gradients and AdamW's state on one device.

    Args:
        trained: parameters that learn.
        frozen: parameters that do not.
        bf16: whether products are in bf16. Without DeepSpeed, autocast then keeps bf16 copies of the
            weights beside those in fp32.
        zero: stage of ZeRO; 0: no DeepSpeed.
        devices: that share what ZeRO splits up.
    """
    if not zero:
        copies = FP32 + BF16 * bf16
        return trained * (copies + FP32 + 2 * FP32) + frozen * (BF16 if bf16 else FP32)
    width = BF16 if bf16 else FP32
    part = 1 / devices
    weights = width * (part if zero >= 3 else 1)
    gradients = width * (part if zero >= 2 else 1)
    optimiser = (3 if bf16 else 2) * FP32 / devices  # two moments, and in bf16 the fp32 weights
    return trained * (weights + gradients + optimiser) + frozen * weights


@dataclass(frozen=True)
class ActivationCost:
    """Bytes of activations, as they grow with a micro batch."""

    per_token: float
    per_square: float  # per token and position of its row: the mask, where there is one
    per_image: float

    def of(self, rows: int, length: int, images: int) -> float:
        """Return the bytes of a micro batch of ``rows`` x ``length`` tokens."""
        tokens = rows * length
        return tokens * (self.per_token + length * self.per_square) + images * self.per_image


def activation_cost(
    shape: DecoderShape,
    encoder: EncoderShape | None,
    bf16: bool,
    checkpointing: bool,
    masked: bool,
    learned_share: float,
) -> ActivationCost:
    """Return what a micro batch costs.

    Args:
        shape: of the language model.
        encoder: of the vision encoder, if images are encoded while training.
        bf16: whether products are in bf16.
        checkpointing: keep the input of each layer only, and compute the rest of it again.
        masked: attention gets a mask (packed rows without FlashAttention).
        learned_share: share of the tokens whose logits are computed.
    """
    width = BF16 if bf16 else FP32
    attention = shape.head_width * (2 * shape.heads + 2 * shape.kv_heads)  # queries to outputs
    layer = width * (6 * shape.hidden + attention + 4 * shape.intermediate)
    kept = width * shape.hidden * shape.layers if checkpointing else layer * shape.layers
    at_once = 2 * layer  # one layer and the gradients of its parts
    logits = (
        learned_share * shape.vocabulary * (width + 3 * FP32)
    )  # as they are, fp32, softmax, gradient
    ends = 4 * width * shape.hidden  # embeddings, last hidden states and their gradients
    image = 0.0
    if encoder is not None:
        # All hidden layers, and the compressor's maps of some of them (keys, values, gradients).
        image = width * (encoder.side**2 + 1) * encoder.width * (encoder.layers + 1 + 24)
    return ActivationCost(
        per_token=kept + at_once + logits + ends,
        per_square=(1 + width) * masked,
        per_image=image,
    )
