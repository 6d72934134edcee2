"""Parameters, tokens and FLOPs of a stage, counted from the architecture and the data it saw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.compressors.reach import reachable_tokens
from paretoken.compressors.specification import specification
from paretoken.costs.answer_work import (
    Work,
    adapter_work,
    decoder_shape,
    decoder_work,
    encoder_shape,
    encoder_work,
)
from paretoken.data.collation import TrainingCollator
from paretoken.models.vision import encoded_side
from paretoken.models.vlm import ParetokenModel
from paretoken.train.speed import StepWork
from paretoken.train.zero import size

#: Numbers of text tokens Q for which costs are recorded: 0 (cached text), and the paper's 50.
MEASURED_TEXT = (0, 50)


def parameter_counts(model: ParetokenModel) -> dict[str, int]:
    """Return the parameters of the language model and of the adapter before it."""
    language = sum(size(p) for p in model.language_model.parameters())
    tables = {id(layer.weight): size(layer.weight) for layer in _tables(model)}
    adapter = sum(
        size(p) for n, p in model.named_parameters() if n.startswith(("compressor.", "projector."))
    )
    return {
        "llm_total": language,
        "llm_non_embedding": language - sum(tables.values()),
        "adapter": adapter,
    }


def _tables(model: ParetokenModel) -> list[Any]:
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    return [layer for layer in layers if layer is not None]


def adapter_work_of(model: ParetokenModel, tokens: int | None = None) -> Work:
    """Return the FLOPs of compressing and projecting one image with this model.

    Args:
        model: the model.
        tokens: V; None: the model's own.
    """
    config = model.config
    return adapter_work(
        config.compressor,
        config.visual_tokens if tokens is None else tokens,
        config.grid_side,
        config.vision_width,
        config.vision_width * len(config.layers),
        config.text_config.hidden_size,
        config.projector_width,
        config.whiten,
    )


def prefill_flops(
    model: ParetokenModel, text_tokens: int, tokens: int | None = None
) -> dict[str, float]:
    """Return the FLOPs until the first answer token, by part, for one image and ``text_tokens``.

    ``encoder`` is missing if the model holds no encoder. ``question`` is present if the compressor reads
    the question: the language model then reads the text once more, before the image's tokens.

    Args:
        model: the model.
        text_tokens: Q.
        tokens: V; None: the model's own.
    """
    config = model.config
    V = config.visual_tokens if tokens is None else tokens
    shape = decoder_shape(config.text_config.to_dict())
    parts = {
        "llm": decoder_work(shape, [text_tokens + V], logits=1).forward,
        "adapter": adapter_work_of(model, V).forward,
    }
    if config.vision_config is not None:
        parts["encoder"] = encoder_flops(model)
    if V and specification(config.compressor).reads_text:
        parts["question"] = decoder_work(shape, [text_tokens], logits=0).forward
    return parts


def encoder_flops(model: ParetokenModel) -> float:
    """Return the FLOPs of encoding one image, at the size that the compressor needs."""
    config, vision = model.config, model.config.vision_config
    shape = encoder_shape(vision.to_dict()) if vision is not None else None
    if shape is None:
        return 0.0
    side = encoded_side(config.compressor, config.visual_tokens)
    return encoder_work(shape if side is None else replace(shape, side=side)).forward


def elastic_flops(model: ParetokenModel) -> dict[str, dict[str, dict[str, float]]]:
    """Return `prefill_flops` at every V of an elastic model, by V and Q; empty for other models."""
    config = model.config
    if not (specification(config.compressor).elastic and config.visual_tokens):
        return {}
    return {
        str(V): {str(text): prefill_flops(model, text, V) for text in MEASURED_TEXT}
        for V in reachable_tokens(config.compressor, config.grid_side)
    }


def step_work(
    model: ParetokenModel,
    collator: TrainingCollator,
    order: NDArray[Any],
    steps: int,
    stage: str,
    encoded_online: bool,
) -> StepWork:
    """Return the tokens and training FLOPs of each step, counted from the architecture."""
    config = model.config
    shape = decoder_shape(config.text_config.to_dict())
    batches = order.reshape(max(1, steps), -1)
    lengths, learned = collator.showings[batches], collator.learned[batches]
    shown = collator.seen[batches].sum(1)
    per_image = adapter_work_of(model).training(True)
    if encoded_online and config.vision_config is not None:
        per_image += encoder_flops(model)
    llm = [
        decoder_work(shape, row.ravel().tolist(), logits=float(count)).training(stage == "finetune")
        for row, count in zip(lengths, learned.sum(1), strict=True)
    ]
    flops = np.array(llm) + shown * per_image + _question_flops(model, collator, batches, stage)
    return StepWork(lengths.sum((1, 2)), flops)


def _question_flops(
    model: ParetokenModel, collator: TrainingCollator, batches: NDArray[Any], stage: str
) -> NDArray[np.float64]:
    """Return the FLOPs per step of reading the questions for the compressor (forward pass only).

    In stage 1 the language model does not change, so each question is read only once.
    """
    flops = np.zeros(len(batches))
    if not collator.ask:
        return flops
    shape = decoder_shape(model.config.text_config.to_dict())
    met: set[tuple[int, ...]] = set()
    for step, batch in enumerate(batches):
        texts = [tuple(collator.question(int(n))) for n in batch if collator.seen[n]]
        if stage == "pretrain":
            texts = [text for text in dict.fromkeys(texts) if text not in met]
            met.update(texts)
        flops[step] = decoder_work(shape, [len(text) for text in texts], logits=0).forward
    return flops


def spending(
    model: ParetokenModel,
    collator: TrainingCollator,
    order: NDArray[Any],
    work: StepWork,
    unlearned: int = 0,
) -> dict[str, Any]:
    """Return parameters, conversations, images shown, tokens and training FLOPs of a stage.

    Tokens exclude padding; ``learned_tokens`` have a loss.

    Args:
        model: the trained model.
        collator: collator of the batches.
        order: indices of the conversations, in the order of training.
        work: tokens and FLOPs of each step.
        unlearned: tokens without a loss because their image could not be read.
    """
    return {
        "parameters": parameter_counts(model),
        "conversations": len(order),
        "images": int(collator.seen[order].sum()),
        "tokens": int(work.tokens.sum()),
        "learned_tokens": int(collator.learned[order].sum()) - unlearned,
        "training_flops": float(work.flops.sum()) if len(order) else 0.0,
        "prefill_flops": {str(text): prefill_flops(model, text) for text in MEASURED_TEXT},
        **({"prefill_flops_at": at} if (at := elastic_flops(model)) else {}),
    }
