"""Memory of a training step's activations, as plain arithmetic for each moment that can be its peak.

Counted is what the decoders of `transformers` and PyTorch keep for the backward pass, with attention
kernels that store no scores (Korthikanti et al., "Reducing Activation Recomputation in Large Transformer
Models", 2022, section 4, counts GPT's layer in the same way). `benchmarks/memory_forecast.py` compares
it with traces of real steps on fake tensors. Neither counts what kernels allocate for themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from paretoken.compressors.specification import Sizes, specification
from paretoken.costs.shapes import DecoderShape, EncoderShape

FP32, BF16 = 4, 2


@dataclass(frozen=True)
class VisionPart:
    """What turns images into visual tokens.

    Attributes:
        compressor: a registered compressor.
        sizes: V, the grid and the widths.
        inner: inner width of the projector.
        encoder: shape of the encoder if it runs while training; None: features are stored.
    """

    compressor: str
    sizes: Sizes
    inner: int
    encoder: EncoderShape | None


@dataclass(frozen=True)
class Trainee:
    """The model that a stage trains, and how.

    Attributes:
        trained: number of trained parameters.
        frozen: number of frozen parameters, those of the encoder included.
        llm: shape of the language model.
        llm_learns: whether the language model is trained, too.
        vision: what makes visual tokens; None: the model has none.
        bf16: whether products are in bf16.
        checkpointing: whether activations are recomputed, layer by layer.
        masked: whether attention takes a mask (packed rows without FlashAttention).
    """

    trained: float
    frozen: float
    llm: DecoderShape
    llm_learns: bool
    vision: VisionPart | None
    bf16: bool
    checkpointing: bool
    masked: bool

    @property
    def width(self) -> int:
        """Bytes of a number in a product."""
        return BF16 if self.bf16 else FP32


@dataclass(frozen=True)
class MicroBatch:
    """The input of one forward and backward pass on a device.

    Attributes:
        conversations: number of conversations; the batch can be divided into at most as many parts.
        rows: number of sequences, which may have several conversations each.
        length: tokens of each row, padding included.
        learned: total number of tokens with a loss; only these have logits.
        images: total number of images.
    """

    conversations: float
    rows: float
    length: float
    learned: float
    images: float

    def divided(self, parts: int) -> MicroBatch:
        """Return one of ``parts`` equal parts."""
        return MicroBatch(
            conversations=self.conversations / parts,
            rows=self.rows / parts,
            length=self.length,
            learned=self.learned / parts,
            images=self.images / parts,
        )


@dataclass(frozen=True)
class Bytes:
    """Memory in bytes that grows with the micro batch."""

    per_token: float = 0.0
    per_square: float = 0.0  # per token and position of its row, for the mask if there is one
    per_learned: float = 0.0
    per_image: float = 0.0

    def of(self, micro: MicroBatch) -> float:
        """Return the bytes of a micro batch."""
        per_token = self.per_token + micro.length * self.per_square
        tokens = micro.rows * micro.length * per_token
        return tokens + micro.learned * self.per_learned + micro.images * self.per_image

    def __add__(self, other: Bytes) -> Bytes:
        names = [field.name for field in fields(self)]
        return Bytes(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True)
class ActivationCost:
    """Memory of a micro batch at the moments of a step that can be its peak.

    Attributes:
        adapter: what compressor and projector keep of each image, in bytes.
        encoding: the encoder's last layer runs; nothing is kept of it for the backward pass.
        loss: all that is kept for the backward pass, and logits.
        backward: all that is kept, and one layer with its gradients.
    """

    adapter: float
    encoding: Bytes
    loss: Bytes
    backward: Bytes

    def of(self, micro: MicroBatch) -> float:
        """Return the bytes at the peak."""
        return max(moment.of(micro) for moment in (self.encoding, self.loss, self.backward))


def activation_cost(trainee: Trainee, zero: int) -> ActivationCost:
    """Return the memory that a micro batch takes.

    With checkpointing each layer keeps only its input; one layer at a time has all of its activations.

    Args:
        trainee: what is trained.
        zero: stage of ZeRO. Without it (0) and with bf16, trained weights are fp32, and autocast casts
            the inputs of products only: hidden states between them are fp32.
    """
    llm, low = trainee.llm, trainee.width
    autocast = trainee.bf16 and not zero
    hidden = llm.hidden * (FP32 if autocast and trainee.llm_learns else low)
    layer = layer_bytes(trainee, hidden)
    # The MLP's product is free when the gradients of its factors are made.
    inner = low * llm.intermediate
    gradients = hidden + inner * ((3 if llm.gated else 2) - trainee.llm_learns)
    adapter = _kept_of_image(trainee, FP32 if autocast else low)
    batch = Bytes(per_image=_input_bytes(trainee, FP32 if autocast else low))
    kept = batch + Bytes(
        # A frozen embedding stays beside its copy with the visual tokens, the first layer's input.
        per_token=llm.layers * (hidden if trainee.checkpointing else layer)
        + hidden * (trainee.checkpointing and not trainee.llm_learns),
        # Booleans and, in each layer that is kept, numbers.
        per_square=trainee.masked * (1 + low * llm.layers * (not trainee.checkpointing)),
        per_image=adapter,
    )
    encoding = _encoded_bytes(trainee, FP32 if autocast else low)
    return ActivationCost(
        adapter=adapter,
        encoding=batch + Bytes(per_token=hidden, per_image=encoding),
        # The last norm in fp32; logits as probabilities, and two gradients of these, all in fp32.
        loss=kept + Bytes(per_token=FP32 * llm.hidden + hidden, per_learned=3 * FP32 * llm.vocabulary),
        backward=kept
        + Bytes(
            per_token=gradients + layer * trainee.checkpointing,
            per_square=low * trainee.masked * trainee.checkpointing,
        ),
    )


def layer_bytes(trainee: Trainee, hidden: float) -> float:
    """Return the bytes per token that a layer keeps for its backward pass.

    These are queries, keys, values and the attention's output; in the MLP the gate, its activation and
    the other half; and an fp32 copy of each norm's input. If the weights learn, these are also the
    inputs of products and of the norms' weights.

    Args:
        trainee: what is trained.
        hidden: bytes of a hidden state.
    """
    llm, low, learns = trainee.llm, trainee.width, trainee.llm_learns
    # With a mask, keys and values are repeated for each of the heads that share them.
    kv_heads = llm.heads if trainee.masked else llm.kv_heads
    attention = low * llm.head_width * (2 * llm.heads + 2 * kv_heads)
    attention += FP32 * llm.head_width * (llm.heads + llm.kv_heads) * llm.query_key_norm
    mlp = low * llm.intermediate * ((3 if llm.gated else 1) + learns)
    norms = llm.norms * (FP32 * llm.hidden + learns * (hidden + low * llm.hidden))
    return attention + mlp + norms


def _input_bytes(trainee: Trainee, width: int) -> float:
    """Return the bytes of an image in the batch: pixels, or the layers that the compressor reads."""
    if (vision := trainee.vision) is None:
        return 0.0
    if vision.encoder is None:
        return float(width * vision.sizes.patches * (vision.sizes.joined + vision.sizes.width))
    pixels = (vision.encoder.side * vision.encoder.patch) ** 2
    return float(width * vision.encoder.channels * pixels)


def _encoded_bytes(trainee: Trainee, width: int) -> float:
    """Return the bytes of an image in the encoder's last layer: all hidden states, and its MLP."""
    if trainee.vision is None or (encoder := trainee.vision.encoder) is None:
        return 0.0
    smaller = specification(trainee.vision.compressor).smaller_images
    tokens = trainee.vision.sizes.tokens + 1 if smaller else encoder.tokens
    states = width * encoder.width * (encoder.layers + 2)
    return tokens * (states + 3 * trainee.width * encoder.intermediate)


def _kept_of_image(trainee: Trainee, width: int) -> float:
    """Return the bytes of an image that compressor and projector keep for their backward pass."""
    if (vision := trainee.vision) is None:
        return 0.0
    facts = specification(vision.compressor)
    projected = facts.projected(vision.sizes) * (facts.channels(vision.sizes) + 2 * vision.inner)
    # Under autocast about half of the numbers are inputs of products, in bf16, and half are fp32.
    return (trainee.width + width) / 2 * (facts.activations(vision.sizes) + projected)
