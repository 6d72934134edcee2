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


def parameter_counts(model: ParetokenModel) -> dict[str, int]:
    """Return the parameters of the language model and of what stands before it."""
    language = sum(p.numel() for p in model.language_model.parameters())
    tables = {id(layer.weight): layer.weight.numel() for layer in _tables(model)}
    adapter = sum(
        p.numel() for n, p in model.named_parameters() if n.startswith(("compressor.", "projector."))
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


def spending(
    model: ParetokenModel,
    collator: TrainingCollator,
    order: NDArray[Any],
    stage: str,
    encoded_online: bool,
) -> dict[str, Any]:
    """Return parameters, conversations, images shown, tokens and training FLOPs of a stage.

    Tokens are those of the conversations, padding left out; ``learned_tokens`` have a loss.
    """
    lengths = collator.lengths[order]
    learned = _learned(collator)[order]
    images = int((collator.data.images[order] >= 0).sum()) if collator.visual_tokens else 0
    llm = decoder_work(
        decoder_shape(model.config.text_config.to_dict()),
        lengths.tolist(),
        logits=float(learned.sum()),
    )
    flops = llm.training(stage == "finetune") + images * adapter_work_of(model).training(True)
    vision = model.config.vision_config
    if encoded_online and vision is not None:
        flops += images * encoder_work(encoder_shape(vision.to_dict())).forward
    return {
        "parameters": parameter_counts(model),
        "conversations": len(order),
        "images": images,
        "tokens": int(lengths.sum()),
        "learned_tokens": int(learned.sum()),
        "training_flops": flops if len(order) else 0.0,
        "prefill_flops": {str(text): prefill_flops(model, text) for text in (0, 50)},
    }


def _learned(collator: TrainingCollator) -> NDArray[np.int64]:
    data = collator.data
    ends = np.concatenate([[0], np.cumsum(data.learned)])
    counts: NDArray[np.int64] = ends[data.offsets[1:]] - ends[data.offsets[:-1]]
    return counts
