"""Trace the memory of one training step without any: on fake tensors, by the storages that are alive.

The model is the project's own, with the code of `transformers` for its language model and encoder, and
runs forward and backward. Fake tensors have shapes and types, but no numbers. What depends on numbers is
known from the batch: how many tokens have a loss, and how many are of images.

The trace cannot show what is allocated inside a kernel (workspaces of cuBLAS, the buffers of attention's
backward pass), what the allocator rounds up or loses to fragmentation, and communication. Attention is
PyTorch's for CPUs, which keeps what FlashAttention and the memory-efficient kernel keep: queries, keys,
values, output, and one number for each query.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from paretoken.compressors.specification import specification
from paretoken.costs.activation_memory import MicroBatch
from paretoken.costs.shapes import DecoderShape, EncoderShape
from paretoken.evaluate.latency_grid import text_config, vision_config
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import Choice, FeatureLayers, configure, feature_layers
from paretoken.models.vlm import ParetokenModel
from paretoken.train.optimisation import make_optimiser
from paretoken.train.recipe import Recipe

ATEN = torch.ops.aten
#: Moments of a step that may be its peak, in their order.
MOMENTS = ("encoding", "compressing", "reading", "loss", "backward", "adapter_backward")


#: Tokens of a question, for a compressor that reads it.
QUESTION = 20


@dataclass(frozen=True)
class Trace:
    """Bytes that a step allocates beside weights and gradients.

    Attributes:
        peaks: the most at each of `MOMENTS`.
        adapter: what compressor and projector keep for their backward pass.
        optimizer: moments of AdamW.
    """

    peaks: dict[str, float]
    adapter: float
    optimizer: float

    @property
    def peak(self) -> float:
        """The most at any moment."""
        return max(self.peaks.values())


class Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of storages that are alive, and answers what fake tensors cannot know.

    Args:
        chosen: number of true elements of a mask, by its shape.
        scalar: the value of every tensor that is read as a number.
        other: sizes of storages that are not counted: gradients of the embedding.
    """

    def __init__(self, chosen: dict[tuple[int, ...], int], scalar: int, other: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.other = other
        self.chosen, self.scalar = chosen, scalar
        self.alive, self.moment = 0.0, MOMENTS[0]
        self.peaks = dict.fromkeys(MOMENTS, 0.0)
        self._known: set[int] = set()
        self._left_out: dict[int, Any] = {}

    def ignore(self, tensor: Tensor) -> None:
        """Leave a tensor out, which must stay alive."""
        storage = tensor.untyped_storage()
        self._known.add(storage._cdata)
        self._left_out[storage._cdata] = storage

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is ATEN._local_scalar_dense.default:
            return self.scalar
        if "index" in func.name() and len(args) > 1 and isinstance(args[1], (list, tuple)):
            args = (args[0], self._indices(args[1]), *args[2:])
        made = func(*args, **(kwargs or {}))
        if func is ATEN._to_copy.default and args[0].untyped_storage()._cdata in self._left_out:
            self.ignore(made)  # autocast's copy of a weight
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return made

    def _indices(self, given: Any) -> list[Tensor | None]:
        """Replace masks by as many indices as they choose."""
        found: list[Tensor | None] = []
        for index in given:
            if index is not None and index.dtype is torch.bool:
                count = self.chosen[tuple(index.shape)]
                found += [torch.empty(count, dtype=torch.long) for _ in index.shape]
            else:
                found.append(index)
        return found

    def _count(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known or size in self.other:
            return
        self._known.add(key)
        self.alive += size
        weakref.finalize(storage, self._forget, key, size)
        self.peaks[self.moment] = max(self.peaks[self.moment], self.alive)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.alive -= size


def traced(
    llm: DecoderShape,
    encoder: EncoderShape,
    choice: Choice,
    recipe: Recipe,
    micro: MicroBatch,
    zero: bool,
) -> Trace:
    """Return the memory of a step of a stage.

    Args:
        llm: dimensions of the language model, which is built as a Qwen1.5.
        encoder: dimensions of the encoder, which is built as a CLIP.
        choice: compressor and number of visual tokens.
        recipe: stage, precision and checkpointing.
        micro: the micro batch, in whole numbers.
        zero: whether DeepSpeed keeps all weights in the low precision; otherwise autocast is used.
    """
    low = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
    with torch.device("meta"):
        model = ParetokenModel(configuration(llm, encoder, choice))
    freeze_all_but(model, trainable_prefixes(recipe.stage))
    nn.Module.to(model, low if zero else torch.float32)
    if recipe.stage == "pretrain":
        nn.Module.to(model.language_model, low)
    model.language_model.set_attn_implementation("sdpa")
    model.train()
    if recipe.gradient_checkpointing:
        model.activation_checkpointing_enable()
    rows, length = int(micro.rows), int(micro.length)
    seen = int(micro.images) * choice.tokens
    storages = Storages(
        {(rows, length - 1): int(micro.learned), (rows, length): seen},
        scalar=seen,
        other={width * llm.vocabulary * llm.hidden for width in (2, 4)},
    )
    with FakeTensorMode():
        fill: Any = model._apply  # untyped
        fill(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))
        model.language_model.tie_weights()
        ask = specification(choice.compressor).reads_text
        batch = _batch(micro, encoder, recipe.packing, ask, low if zero else torch.float32)
        for parameter in model.parameters():
            if parameter.requires_grad:  # a micro batch but the first finds the gradients of others
                parameter.grad = torch.empty_like(parameter)
                storages.ignore(parameter.grad)
        for tensor in [*model.parameters(), *model.buffers()]:
            storages.ignore(tensor)
        embedding: Any = model.get_input_embeddings()
        frozen = recipe.stage == "pretrain" and recipe.gradient_checkpointing
        size = rows * length * llm.hidden * embedding.weight.element_size() * frozen
        with _moments(model, storages, size) as adapter:
            autocast = torch.autocast("cpu", torch.bfloat16, low is torch.bfloat16 and not zero)
            with storages:
                for name, (shape, dtype) in batch.items():
                    batch[name] = torch.empty(shape, dtype=dtype)
                with autocast:
                    loss = model(**batch).loss
                loss.backward()
        moments = _optimizer(model, recipe)
    return Trace(storages.peaks, adapter[0], moments)


def configuration(llm: DecoderShape, encoder: EncoderShape, choice: Choice) -> Any:
    """Return the configuration of a whole model of these dimensions."""
    text, vision = text_config(llm), vision_config(encoder)
    features = FeatureLayers(feature_layers([choice], vision.num_hidden_layers))
    config = configure(text, vision, choice, features, image_token_id=llm.vocabulary)
    config.vision_config = vision
    return config


def _batch(
    micro: MicroBatch, encoder: EncoderShape, packing: bool, ask: bool, dtype: torch.dtype
) -> dict[str, Any]:
    """Return shape and type of each tensor of a batch."""
    rows, images = (int(micro.rows), int(micro.length)), int(micro.images)
    pixels = encoder.side * encoder.patch
    question = (images, QUESTION)
    asked = {"question_ids": (question, torch.long), "question_mask": (question, torch.long)}
    batch = {
        "input_ids": (rows, torch.long),
        "labels": (rows, torch.long),
        "num_items_in_batch": ((), torch.long),
        "pixel_values": ((images, encoder.channels, pixels, pixels), dtype),
        "image_index": ((images,), torch.long),
    }
    batch |= {"position_ids": (rows, torch.long)} if packing else {}
    return batch | (asked if ask else {})


@contextmanager
def _moments(model: ParetokenModel, storages: Storages, embedded: int) -> Iterator[list[float]]:
    """Let hooks tell ``storages`` the moment.

    Args:
        model: the model.
        storages: counts bytes.
        embedded: bytes of the frozen embeddings that stay beside those with visual tokens.

    Yields:
        A list that receives the bytes that the adapter keeps.
    """
    alive: list[float] = []
    language: Any = model.language_model
    encoder: Any = model.vision_encoder
    projector: Any = model.projector

    def enter(moment: str) -> Any:
        def hook(*_: Any) -> None:
            storages.moment = moment

        return hook

    def at_gradient(moment: str) -> Any:
        def hook(module: nn.Module, given: Any, made: Any) -> None:
            if made.requires_grad:
                made.register_hook(enter(moment))

        return hook

    def before(*_: Any) -> None:
        alive.append(storages.alive)

    def after(*_: Any) -> None:
        if torch.is_grad_enabled():  # otherwise it reads questions
            alive.append(storages.alive - embedded - alive.pop())

    hooks = [
        encoder.register_forward_pre_hook(before),
        encoder.register_forward_pre_hook(enter("encoding")),
        encoder.register_forward_hook(enter("compressing")),
        projector.register_forward_hook(at_gradient("adapter_backward")),
        language.model.register_forward_pre_hook(after),
        language.model.register_forward_pre_hook(enter("reading")),
        language.model.norm.register_forward_hook(at_gradient("backward")),
        language.lm_head.register_forward_pre_hook(enter("loss")),
    ]
    try:
        yield alive
    finally:
        for hook in hooks:
            hook.remove()


def _optimizer(model: ParetokenModel, recipe: Recipe) -> float:
    """Return the bytes of an optimiser's state after its first step."""
    for parameter in model.parameters():  # DeepSpeed has copies in fp32 of what is trained
        parameter.data = torch.empty(parameter.shape)
        parameter.grad = torch.empty(parameter.shape) if parameter.requires_grad else None
    optimiser = make_optimiser(model, recipe)
    optimiser.step()
    kept = [value for state in optimiser.state.values() for value in state.values()]
    return float(sum(t.untyped_storage().nbytes() for t in kept if isinstance(t, Tensor) and t.ndim))
