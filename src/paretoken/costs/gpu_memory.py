"""GPU memory of training and inference, as plain arithmetic; `plan` reports it and `train` relies on it.

Sources: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models"
(2020, section 3: 2 + 2 + 12 bytes per parameter of mixed-precision AdamW); Korthikanti et al.,
"Reducing Activation Recomputation in Large Transformer Models" (2022, section 4: activations that a
layer keeps for the backward pass; attention kernels that store no scores are assumed). The estimates
are rough and err on the safe side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from paretoken.costs.shapes import DecoderShape, EncoderShape

GIB = 2**30

FP32, BF16 = 4, 2
#: CUDA context, cuBLAS workspaces and NCCL buffers of one process.
CONTEXT = 1.5 * GIB
#: DeepSpeed's buckets: parameters that ZeRO-3 may gather at a time, and that ZeRO-2 reduces at a time.
LIVE_PARAMETERS, BUCKET = 1e9, 5e8
#: Share of the free memory that plans may use; the rest allows for fragmentation in the allocator.
USABLE = 0.9
#: Encoder-wide activations that a compressor keeps per patch: keys, values and their gradients.
COMPRESSOR_MAPS = 24


@dataclass(frozen=True)
class Trainee:
    """The model that a stage trains, and how.

    Attributes:
        trained: number of trained parameters.
        frozen: number of frozen parameters, those of the encoder included.
        llm: shape of the language model.
        encoder: shape of the vision encoder if it runs while training; None: features are stored.
        bf16: whether products are in bf16.
        checkpointing: whether activations are recomputed, layer by layer.
        masked: whether attention takes a mask (packed rows without FlashAttention).
    """

    trained: float
    frozen: float
    llm: DecoderShape
    encoder: EncoderShape | None
    bf16: bool
    checkpointing: bool
    masked: bool


@dataclass(frozen=True)
class Split:
    """The number of devices that share a stage, and the stage of ZeRO (0: without DeepSpeed)."""

    devices: int
    zero: int


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
class Memory:
    """Bytes on one device."""

    weights: float
    gradients: float
    optimizer: float
    buffers: float
    activations: float = 0.0
    logits: float = 0.0

    @property
    def total(self) -> float:
        """Sum of all parts."""
        states = self.weights + self.gradients + self.optimizer + self.buffers
        return states + self.activations + self.logits

    @property
    def on_device(self) -> float:
        """Sum of all parts and of the memory of the process itself."""
        return self.total + CONTEXT

    def fits(self, memory_gib: float) -> bool:
        """Return whether it fits a GPU with ``memory_gib`` of memory."""
        return self.total <= USABLE * (memory_gib * GIB - CONTEXT)


def states(trainee: Trainee, split: Split) -> Memory:
    """Return the memory that does not depend on the micro batch."""
    trained, bf16 = trainee.trained, trainee.bf16
    low = BF16 if bf16 else FP32
    if not split.zero:
        # Autocast keeps bf16 copies of the fp32 weights; gradients and both moments are fp32.
        weights = (FP32 + BF16 * bf16) * trained + low * trainee.frozen
        return Memory(weights, FP32 * trained, 2 * FP32 * trained, buffers=0.0)
    part = 1 / split.devices
    return Memory(
        weights=low * (trained + trainee.frozen) * (part if split.zero >= 3 else 1),
        gradients=low * trained * (part if split.zero >= 2 else 1),
        optimizer=(3 if bf16 else 2)
        * FP32
        * trained
        * part,  # both moments and, with bf16, fp32 weights
        buffers=_buffers(trainee, split, low),
    )


def _buffers(trainee: Trainee, split: Split, width: int) -> float:
    if split.zero < 3:
        return 2 * width * min(trainee.trained, BUCKET)
    # A single device gathers nothing.
    return width * min(trainee.trained + trainee.frozen, LIVE_PARAMETERS) * (split.devices > 1)


@dataclass(frozen=True)
class ActivationCost:
    """Memory in bytes that grows with the micro batch."""

    per_token: float
    per_learned: float
    per_square: float  # per token and position of its row, for the mask if there is one
    per_image: float

    def activations(self, micro: MicroBatch) -> float:
        """Return the bytes of all but the logits."""
        tokens = micro.rows * micro.length
        per_token = self.per_token + micro.length * self.per_square
        return tokens * per_token + micro.images * self.per_image

    def logits(self, micro: MicroBatch) -> float:
        """Return the bytes of logits and of the copies that the loss makes of them."""
        return micro.learned * self.per_learned

    def of(self, micro: MicroBatch) -> float:
        """Return all bytes."""
        return self.activations(micro) + self.logits(micro)


def activation_cost(trainee: Trainee) -> ActivationCost:
    """Return the memory that a micro batch takes.

    With checkpointing each layer keeps only its input; one layer at a time has all of its activations.
    """
    llm, width = trainee.llm, BF16 if trainee.bf16 else FP32
    layer = layer_bytes(llm, width)
    kept = llm.layers * (width * llm.hidden if trainee.checkpointing else layer)
    ends = 4 * width * llm.hidden  # embeddings, last hidden states and their gradients
    image = 0.0
    if (encoder := trainee.encoder) is not None:
        maps = encoder.layers + 1 + COMPRESSOR_MAPS
        image = width * (encoder.side**2 + 1) * encoder.width * maps
    return ActivationCost(
        per_token=kept + 2 * layer + ends,  # one layer and its gradients
        per_learned=(width + 3 * FP32) * llm.vocabulary,  # logits, fp32 copy, softmax, gradient
        per_square=(1 + width) * trainee.masked,
        per_image=image,
    )


def layer_bytes(llm: DecoderShape, width: int) -> float:
    """Return the bytes per token that one layer keeps.

    These are the inputs of both norms and of the products after them, queries, keys and values, the
    attention's output, in the MLP the gate, its activation, the other half and their product, and the
    fp32 copies inside the norms.

    Args:
        llm: shape of the language model.
        width: bytes per number.
    """
    heads = llm.head_width * (2 * llm.heads + 2 * llm.kv_heads)
    inner = (4 if llm.gated else 2) * llm.intermediate
    return width * (4 * llm.hidden + heads + inner) + 2 * FP32 * llm.hidden


def training_memory(trainee: Trainee, split: Split, micro: MicroBatch) -> Memory:
    """Return the peak memory of a training step on each device."""
    cost = activation_cost(trainee)
    kept = states(trainee, split)
    return replace(kept, activations=cost.activations(micro), logits=cost.logits(micro))


def cache_bytes(llm: DecoderShape, batch: float, length: float) -> float:
    """Return the bytes that the keys and values of ``length`` tokens take, in bf16."""
    return float(2 * BF16 * llm.layers * llm.kv_heads * llm.head_width * batch * length)


def inference_memory(
    parameters: float, llm: DecoderShape, batch: int, prompt: float, answer: float
) -> Memory:
    """Return the memory of answering ``batch`` questions at once in bf16.

    Args:
        parameters: number of parameters of the whole model, encoder included.
        llm: shape of the language model.
        batch: questions at a time.
        prompt: tokens of a prompt, visual tokens included.
        answer: tokens of the longest answer.
    """
    cache = cache_bytes(llm, batch, prompt + answer)
    return Memory(
        weights=BF16 * parameters,
        gradients=0.0,
        optimizer=0.0,
        buffers=0.0,
        activations=cache + layer_bytes(llm, BF16) * batch * prompt,
        logits=(BF16 + FP32) * llm.vocabulary * batch,
    )
