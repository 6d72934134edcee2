"""Parameters, tokens and FLOPs of a stage, counted from the architecture and the data it saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.cost import (
    Work,
    adapter_work,
    decoder_shape,
    decoder_work,
    encoder_shape,
    encoder_work,
)
from paretoken.data.collation import TrainingCollator
from paretoken.models.vlm import ParetokenModel
from paretoken.train.speed import StepWork
from paretoken.train.zero import size


def parameter_counts(model: ParetokenModel) -> dict[str, int]:
    """Return the parameters of the language model and of what stands before it."""
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


def adapter_work_of(model: ParetokenModel) -> Work:
    """Return the FLOPs of compressing and projecting one image with this model."""
    config = model.config
    return adapter_work(
        config.compressor,
        config.visual_tokens,
        config.grid_side,
        config.vision_width,
        config.vision_width * len(config.layers),
        config.text_config.hidden_size,
        config.projector_width,
        config.whiten,
    )


def prefill_flops(model: ParetokenModel, text_tokens: int) -> dict[str, float]:
    """Return the FLOPs until the first answer token, for one image and ``text_tokens``.

    The encoder's are None if the model holds no encoder.
    """
    config = model.config
    length = text_tokens + config.visual_tokens
    llm = decoder_work(decoder_shape(config.text_config.to_dict()), [length], logits=1)
    vision = config.vision_config
    encoder = encoder_work(encoder_shape(vision.to_dict())).forward if vision else float("nan")
    return {
        "llm": llm.forward,
        "adapter": adapter_work_of(model).forward,
        **({"encoder": encoder} if vision else {}),
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
    shape, vision = decoder_shape(config.text_config.to_dict()), config.vision_config
    batches = order.reshape(max(1, steps), -1)
    lengths, learned = collator.lengths[batches], _learned(collator)[batches]
    shown = (collator.data.images[batches] >= 0).sum(1) * bool(collator.visual_tokens)
    per_image = adapter_work_of(model).training(True)
    if encoded_online and vision is not None:
        per_image += encoder_work(encoder_shape(vision.to_dict())).forward
    llm = [
        decoder_work(shape, row.tolist(), logits=float(count)).training(stage == "finetune")
        for row, count in zip(lengths, learned.sum(1), strict=True)
    ]
    return StepWork(lengths.sum(1), np.array(llm) + shown * per_image)


def spending(
    model: ParetokenModel, collator: TrainingCollator, order: NDArray[Any], work: StepWork
) -> dict[str, Any]:
    """Return parameters, conversations, images shown, tokens and training FLOPs of a stage.

    Tokens are those of the conversations, padding left out; ``learned_tokens`` have a loss.
    """
    return {
        "parameters": parameter_counts(model),
        "conversations": len(order),
        "images": int((collator.data.images[order] >= 0).sum()) if collator.visual_tokens else 0,
        "tokens": int(work.tokens.sum()),
        "learned_tokens": int(_learned(collator)[order].sum()),
        "training_flops": float(work.flops.sum()) if len(order) else 0.0,
        "prefill_flops": {str(text): prefill_flops(model, text) for text in (0, 50)},
    }


def _learned(collator: TrainingCollator) -> NDArray[np.int64]:
    data = collator.data
    ends = np.concatenate([[0], np.cumsum(data.learned)])
    counts: NDArray[np.int64] = ends[data.offsets[1:]] - ends[data.offsets[:-1]]
    return counts
