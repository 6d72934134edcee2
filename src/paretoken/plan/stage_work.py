"""Parameters, tokens and FLOPs of one stage of one cell, by arithmetic on shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from paretoken.compressors.specification import Sizes, specification
from paretoken.costs.activation_memory import VisionPart
from paretoken.costs.answer_work import (
    DecoderShape,
    EncoderShape,
    adapter_parameters,
    adapter_work,
    decoder_work,
    encoder_work,
)
from paretoken.plan.question_counts import Questions
from paretoken.plan.training_sets import TrainingSet
from paretoken.train.recipe import steps_for


@dataclass(frozen=True)
class Model:
    """A vision-language model's dimensions.

    Attributes:
        llm: shape of the language model.
        llm_parameters: its exact number of parameters.
        encoder: shape of the vision encoder.
        compressor: a registered compressor.
        tokens: V.
        layers: number of encoder layers that the compressor reads, concatenated.
        inner: inner width of the projector; None: the language model's.
        whitened: whether a fixed whitening map precedes the projector.
        online: whether images are encoded during training.
    """

    llm: DecoderShape
    llm_parameters: int
    encoder: EncoderShape
    compressor: str
    tokens: int
    layers: int
    inner: int | None = None
    whitened: bool = False
    online: bool = True

    def showings(self, finetune: bool) -> tuple[float, ...]:
        """Return the visual tokens of each showing of a conversation in a training stage.

        An elastic model is shown every scale, or a random number of tokens, for which the mean is used.
        """
        elastic = specification(self.compressor).elastic
        if elastic is None or not finetune or not self.tokens:
            return (self.tokens,)
        counts = elastic.counts(self.encoder.side)
        return tuple(counts) if elastic.every else (sum(counts) / len(counts),)

    @property
    def adapter_parameters(self) -> int:
        """Number of parameters of compressor and projector."""
        if self.tokens == 0:
            return 0
        width = self.encoder.width
        return adapter_parameters(
            self.compressor,
            width,
            self.layers * width,
            self.llm.hidden,
            self.inner,
            self.tokens,
            self.encoder.side,
        )

    @property
    def vision(self) -> VisionPart | None:
        """What makes visual tokens, as the memory model takes it; None for V = 0."""
        if self.tokens == 0:
            return None
        width, hidden = self.encoder.width, self.llm.hidden
        return VisionPart(
            self.compressor,
            Sizes(self.tokens, self.encoder.side, width, self.layers * width, hidden),
            hidden if self.inner is None else self.inner,
            self.encoder if self.online else None,
        )

    @property
    def parameters(self) -> int:
        """Parameters of language model, adapter and encoder; for V = 0, of the language model only."""
        seen = self.encoder.parameters() if self.tokens else 0
        return self.llm_parameters + self.adapter_parameters + seen


@dataclass(frozen=True)
class Work:
    """The work of one stage.

    Attributes:
        parameters: number of parameters of the whole model.
        trained: number of trained parameters.
        steps: optimiser steps (predict: decoding steps).
        conversations: number of conversations shown (predict: questions).
        images: number of images that are encoded or compressed.
        tokens: number of tokens, without padding.
        learned: number of tokens with a loss.
        longest: tokens of the longest sequences.
        longest_learned: tokens with a loss in the longest sequences.
        flops: FLOPs of forward and backward passes, without recomputed activations.
    """

    parameters: int
    trained: int
    steps: int
    conversations: float
    images: float
    tokens: float
    learned: float
    longest: float
    longest_learned: float
    flops: float


@lru_cache(maxsize=4096)
def training_work(
    model: Model,
    data: TrainingSet,
    finetune: bool,
    global_batch: int,
    max_length: int,
    steps: int | None,
    epochs: float | None,
) -> Work:
    """Return the work of a training stage; the arguments after ``finetune`` are from its recipe."""
    count = data.conversations
    steps = steps or steps_for(count, global_batch, epochs or 1)
    passes = steps * global_batch / count
    if not finetune and model.tokens == 0:  # the blind control has nothing to train in stage 1
        return Work(model.parameters, 0, 0, 0, 0, 0, 0, 0, 0, 0.0)
    images = tokens = learned = flops = longest = share = 0.0
    for group in data.groups:
        shown = passes * group.count
        for V in model.showings(finetune):
            length = min(group.text + group.image * V, max_length)
            seen = min(group.learned, length)
            llm = decoder_work(model.llm, [length], logits=seen).training(finetune)
            flops += shown * llm
            tokens += shown * length
            learned += shown * seen
            longest, share = max(longest, length), max(share, seen / length)
        images += shown * group.image * (model.tokens > 0)
    flops += images * _image_flops(model, learns=True)
    trained = model.adapter_parameters + (model.llm_parameters if finetune else 0)
    # Stage 2 has conversations of any length; the longest consist mostly of answers.
    longest = max_length if finetune else longest
    return Work(
        parameters=model.parameters,
        trained=trained,
        steps=steps,
        conversations=passes * count,
        images=images,
        tokens=tokens,
        learned=learned,
        longest=longest,
        longest_learned=share * longest,
        flops=flops,
    )


def _image_flops(model: Model, learns: bool) -> float:
    encoder = model.encoder
    adapter = adapter_work(
        model.compressor,
        model.tokens,
        encoder.side,
        encoder.width,
        model.layers * encoder.width,
        model.llm.hidden,
        model.inner,
        model.whitened,
    )
    encoded = encoder_work(encoder).forward if model.online else 0.0
    return (adapter.training(True) if learns else adapter.forward) + encoded


@lru_cache(maxsize=4096)
def prediction_work(model: Model, asked: Questions, batch: int) -> Work:
    """Return the work of answering questions, ``batch`` at a time."""
    length = asked.prompt + model.tokens
    llm = decoder_work(model.llm, [length], logits=1).forward
    decode = asked.answer * decoder_work(model.llm, [1], logits=1).forward
    images = asked.count if model.tokens else 0
    return Work(
        parameters=model.parameters,
        trained=0,
        steps=math.ceil(asked.count / batch) * math.ceil(asked.answer),
        conversations=asked.count,
        images=images,
        tokens=asked.count * (length + asked.answer),
        learned=0,
        longest=length,
        longest_learned=0,
        flops=asked.count * (llm + decode) + images * _image_flops(model, learns=False),
    )
