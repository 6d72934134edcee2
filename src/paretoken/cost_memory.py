"""GPU memory of training and inference, as plain arithmetic: what DeepSpeed's ZeRO splits and what not.

Sources: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models"
(2020, section 3: 2 + 2 + 12 bytes per parameter of mixed-precision AdamW); Korthikanti et al.,
"Reducing Activation Recomputation in Large Transformer Models" (2022, section 4: what a layer keeps
for the backward pass; attention kernels that keep no scores are assumed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from paretoken.cost import DecoderShape

GIB = 2**30

#: Bytes per parameter: bf16 weights and gradients; fp32 weights and both moments of AdamW.
WEIGHT, GRADIENT, OPTIMIZER = 2, 2, 12
#: Without DeepSpeed the trained weights and their gradients stay fp32, and autocast copies weights.
PLAIN_GRADIENT = 4
#: CUDA context, cuBLAS workspaces and NCCL buffers of one process.
CONTEXT = 1.5 * GIB
#: DeepSpeed's buckets: parameters of ZeRO-3 that may be gathered at a time, and what ZeRO-2 reduces.
LIVE_PARAMETERS, BUCKET = 1e9, 5e8
#: Share of the memory that PyTorch's allocator can use before fragments fill it.
USABLE = 0.94


@dataclass(frozen=True)
class MemoryPlan:
    """How a stage is laid out on GPUs.

    Attributes:
        parameters: all that are loaded, the frozen encoder included.
        trained: how many of them learn.
        shape: of the language model.
        gpus: that train together.
        zero: DeepSpeed's ZeRO stage: 0 (without DeepSpeed), 2 or 3.
        micro_tokens: tokens that a GPU takes at once, at most.
        micro_learned: those of them with a loss: only they get logits.
        checkpointing: whether activations are recomputed layer by layer.
    """

    parameters: float
    trained: float
    shape: DecoderShape
    gpus: int
    zero: int
    micro_tokens: float
    micro_learned: float
    checkpointing: bool


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    buffers: float

    @property
    def total(self) -> float:
        """Sum of all parts."""
        parts = (self.weights, self.gradients, self.optimizer)
        return sum(parts) + self.activations + self.logits + self.buffers

    def fits(self, memory_gib: float) -> bool:
        """Whether a GPU with so much memory can hold it."""
        return self.total <= USABLE * memory_gib * GIB


def training_memory(plan: MemoryPlan) -> Memory:
    """Return the largest memory of a training step on each GPU."""
    trained = plan.trained / (plan.gpus if plan.zero else 1)
    weights, buffers = WEIGHT * plan.parameters, CONTEXT
    if plan.zero >= 3:
        weights = WEIGHT * plan.parameters / plan.gpus
        if plan.gpus > 1:
            buffers += WEIGHT * min(plan.parameters, LIVE_PARAMETERS)
    elif plan.zero == 2:
        buffers += 2 * GRADIENT * min(plan.trained, BUCKET)
    return Memory(
        weights=weights,
        gradients=(GRADIENT if plan.zero else PLAIN_GRADIENT) * trained,
        optimizer=OPTIMIZER * trained,
        activations=activation_bytes(plan.shape, plan.micro_tokens, plan.checkpointing),
        logits=logit_bytes(plan.shape, plan.micro_learned),
        buffers=buffers,
    )


def activation_bytes(shape: DecoderShape, tokens: float, checkpointing: bool) -> float:
    """Return what the layers keep for the backward pass.

    With checkpointing each layer keeps its bf16 input, and one layer at a time all that it needs.
    """
    layer = layer_bytes(shape) * tokens
    if not checkpointing:
        return shape.layers * layer
    return WEIGHT * shape.layers * shape.hidden * tokens + layer


def layer_bytes(shape: DecoderShape) -> float:
    """Return the bytes per token that one layer keeps.

    bf16: inputs of both norms and of the products behind them, queries, keys, values, the attention's
    output, and of the MLP gate, activation, other half and product; fp32: what the norms compute in.
    """
    heads = shape.head_width * (2 * shape.heads + 2 * shape.kv_heads)
    inner = (4 if shape.gated else 2) * shape.intermediate
    return WEIGHT * (4 * shape.hidden + heads + inner) + 4 * 2 * shape.hidden


def logit_bytes(shape: DecoderShape, learned: float) -> float:
    """Return what the loss keeps: bf16 logits, their fp32 copy and its gradient."""
    return (2 + 4 + 4) * shape.vocabulary * learned


def inference_memory(
    parameters: float, shape: DecoderShape, batch: int, prompt: float, answer: float
) -> Memory:
    """Return the memory of answering ``batch`` questions at once in bf16.

    Args:
        parameters: of the whole model, encoder included.
        shape: of the language model.
        batch: questions at a time.
        prompt: tokens of a prompt, the image's included.
        answer: tokens of the longest answer.
    """
    cache = 2 * WEIGHT * shape.layers * shape.kv_heads * shape.head_width * batch * (prompt + answer)
    working = layer_bytes(shape) * batch * prompt
    return Memory(
        weights=WEIGHT * parameters,
        gradients=0.0,
        optimizer=0.0,
        activations=cache + working,
        logits=(2 + 4) * shape.vocabulary * batch,
        buffers=CONTEXT,
    )


def smallest_remedy(plan: MemoryPlan, memory_gib: float, most_gpus: int = 64) -> tuple[MemoryPlan, str]:
    """Return the least change by which a stage fits, and its name; empty if it fits as it is.

    Tried in this order: fewer sequences at a time (the global batch stays, so does the result), ZeRO-3,
    both, more GPUs. A name that starts with ``none`` means that nothing tried was enough.
    """
    if training_memory(plan).fits(memory_gib):
        return plan, ""
    gpus = plan.gpus
    while gpus <= most_gpus:
        for zero in sorted({plan.zero, 3} if gpus == plan.gpus else {3}):
            for parts in (1, 2, 4, 8, 16):
                changed = replace(
                    plan,
                    zero=zero,
                    gpus=gpus,
                    micro_tokens=plan.micro_tokens / parts,
                    micro_learned=plan.micro_learned / parts,
                )
                if training_memory(changed).fits(memory_gib):
                    return changed, _named(plan, changed, parts)
        gpus *= 2
    return plan, f"none found up to {most_gpus} GPUs; use a larger device"


def _named(plan: MemoryPlan, changed: MemoryPlan, parts: int) -> str:
    words = []
    if changed.gpus != plan.gpus:
        words.append(f"{changed.gpus} GPUs")
    if changed.zero != plan.zero:
        words.append(f"ZeRO-{changed.zero}")
    if parts > 1:
        words.append(f"micro_batch / {parts}")
    return ", ".join(words)
