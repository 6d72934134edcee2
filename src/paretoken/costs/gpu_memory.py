"""GPU memory of training and inference, as plain arithmetic; `plan` reports it and `train` relies on it.

Sources: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models"
(2020, section 3: 2 + 2 + 12 bytes per parameter of mixed-precision AdamW); for the memory of activations
see `paretoken.costs.activation_memory`. The estimates err on the safe side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from paretoken.costs.activation_memory import BF16, FP32, MicroBatch, Trainee, activation_cost
from paretoken.costs.shapes import DecoderShape

GIB = 2**30

#: CUDA context, cuBLAS workspaces and NCCL buffers of one process.
CONTEXT = 1.5 * GIB
#: Parameters that ZeRO-3 may gather at a time, and that its optimiser updates at a time.
LIVE_PARAMETERS, SUB_GROUP = 1e9, 1e9
#: Share of the free memory that plans may use; the rest allows for fragmentation in the allocator.
USABLE = 0.9


@dataclass(frozen=True)
class Split:
    """The number of devices that share a stage, and the stage of ZeRO (0: without DeepSpeed)."""

    devices: int
    zero: int


@dataclass(frozen=True)
class Memory:
    """Bytes on one device.

    Attributes:
        weights: weights in the type of products, and with autocast those that are trained.
        gradients: gradients and their sum over micro batches.
        optimizer: moments and, with DeepSpeed, weights in fp32.
        buffers: gathered weights, buckets, and the largest gradient before it is added to others.
        activations: all that grows with the micro batch, at its peak.
        step: what the optimiser's step takes for itself, when activations are free.
    """

    weights: float
    gradients: float
    optimizer: float
    buffers: float
    activations: float = 0.0
    step: float = 0.0

    @property
    def kept(self) -> float:
        """Sum of the parts that do not depend on the micro batch, without the step's."""
        return self.weights + self.gradients + self.optimizer + self.buffers

    @property
    def total(self) -> float:
        """Sum of all parts at the peak."""
        return self.kept + max(self.activations, self.step)

    @property
    def on_device(self) -> float:
        """Sum of all parts and of the memory of the process itself."""
        return self.total + CONTEXT

    def fits(self, memory_gib: float) -> bool:
        """Return whether it fits a GPU with ``memory_gib`` of memory."""
        return self.total <= USABLE * (memory_gib * GIB - CONTEXT)


def states(trainee: Trainee, split: Split) -> Memory:
    """Return the memory that does not depend on the micro batch.

    The numbers for ZeRO are those of DeepSpeed 0.19 with sums of gradients in fp32, whose tensors were
    counted on a CPU (LOG.md, 2026-12-01).
    """
    trained, low, part = trainee.trained, trainee.width, 1 / split.devices
    # A gradient exists before it is added to others; that of the embedding is the largest.
    largest = low * trainee.llm.vocabulary * trainee.llm.hidden * trainee.llm_learns
    if not split.zero:
        # Autocast keeps bf16 copies of the fp32 weights, and casts their gradients back.
        copies = BF16 * trainee.bf16
        weights = (FP32 + copies) * trained + low * trainee.frozen
        encoder = trainee.vision.encoder if trainee.vision else None
        if encoder is not None:
            weights += (FP32 - low) * encoder.parameters()
        return Memory(weights, FP32 * trained, 2 * FP32 * trained, largest * (1 + copies))
    bucket = low * min(trained, trainee.llm.hidden**2)  # "auto" is the square of the width
    if split.zero < 3:
        # Partitions of one micro batch are gathered before they are added to the sum.
        return Memory(
            weights=low * (trained + trainee.frozen),
            gradients=(low + FP32) * trained * (part if split.zero == 2 else 1),
            optimizer=(FP32 * trainee.bf16 + 2 * FP32) * trained * part,
            buffers=2 * bucket + largest,
        )
    # A single device gathers nothing.
    live = min(trained + trainee.frozen, LIVE_PARAMETERS) * (split.devices > 1)
    return Memory(
        weights=low * (trained + trainee.frozen) * part,
        gradients=FP32 * trained * part,
        optimizer=(FP32 * trainee.bf16 + 2 * FP32) * trained * part,
        buffers=low * live + bucket + largest,
        step=FP32 * min(trained * part, SUB_GROUP),
    )


def training_memory(trainee: Trainee, split: Split, micro: MicroBatch) -> Memory:
    """Return the peak memory of a training step on each device."""
    activations = activation_cost(trainee, split.zero).of(micro)
    return replace(states(trainee, split), activations=activations)


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
    inner = (4 if llm.gated else 2) * llm.intermediate
    layer = BF16 * (inner + llm.head_width * (2 * llm.heads + 2 * llm.kv_heads)) + 16 * llm.hidden
    logits = (BF16 + FP32) * llm.vocabulary * batch
    return Memory(
        weights=BF16 * parameters,
        gradients=0.0,
        optimizer=0.0,
        buffers=0.0,
        activations=cache_bytes(llm, batch, prompt + answer) + layer * batch * prompt + logits,
    )
