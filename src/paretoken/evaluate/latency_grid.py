"""Seconds (and joules) per answer over N x V x Q x batch, for encoder, prompt and decoding separately.

The time depends on a model's dimensions, not on its weights, so models of a study's shapes are created
with random weights, and nothing has to be trained or downloaded. The steps of a generation are timed
separately: the encoder; compressor, projector and language model up to the first token; then one token
at a time with the cache.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, PretrainedConfig, Qwen2Config, SiglipVisionConfig

from paretoken.costs.models.deployment import LlmShape, Shapes
from paretoken.costs.shapes import DecoderShape, EncoderShape
from paretoken.errors import UserError
from paretoken.evaluate.energy import Meter
from paretoken.evaluate.latency import wait_for_gpu
from paretoken.models.adapter import new_adapter
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.vlm import ParetokenModel

#: Number of warm-up runs, and of tokens decoded per run.
WARM_UP, DECODED = 2, 8
#: Standard error of a median of n normal values, in units of their standard deviation over sqrt(n).
OF_MEDIAN = 1.2533
#: The placeholder of a visual token; any id works, since weights are random.
IMAGE_TOKEN = 0
Row = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """The grid of combinations to measure.

    Attributes:
        tokens: values of V.
        text_tokens: values of Q.
        batches: batch sizes in questions.
        repeats: number of timed runs, whose median is taken.
    """

    tokens: Sequence[int]
    text_tokens: Sequence[int]
    batches: Sequence[int]
    repeats: int

    def __len__(self) -> int:
        return len(self.tokens) * len(self.text_tokens) * len(self.batches)


def measure_grid(
    shapes: Shapes, llm: LlmShape, grid: Grid, device: torch.device, dtype: torch.dtype
) -> Iterator[Row]:
    """Yield a row of the latency table per combination of one language model.

    A combination that does not fit the device's memory has empty cells.

    Args:
        shapes: shapes of encoder and adapter.
        llm: shape of the language model.
        grid: the combinations.
        device: device to run on.
        dtype: type of the weights.

    Raises:
        UserError: the model alone does not fit the device's memory.
    """
    meter = Meter.of(device)
    try:
        model = build(shapes, llm, grid.tokens[0], device, dtype)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{llm.name} does not fit the device's memory: {error}; select other sizes with --params-b"
        ) from error
    for V in grid.tokens:
        set_tokens(model, V, device, dtype)
        for batch in grid.batches:
            encoder: dict[str, float] = {}
            for Q in grid.text_tokens:
                row: Row = {
                    "llm": llm.name,
                    "params_b": llm.params_b,
                    "visual_tokens": V,
                    "text_tokens": Q,
                    "batch": batch,
                    "repeats": grid.repeats,
                }
                try:
                    encoder = encoder or _encoder(model, batch, grid.repeats, meter)
                    row |= encoder | _answer(model, V, Q, batch, grid.repeats, meter)
                except torch.OutOfMemoryError:
                    gc.collect()
                    torch.cuda.empty_cache()
                yield row


def build(
    shapes: Shapes, llm: LlmShape, V: int, device: torch.device, dtype: torch.dtype
) -> ParetokenModel:
    """Return a model of these dimensions with random weights, created on the device itself.

    Raises:
        UserError: the dimensions are not those of a Llama-like decoder.
    """
    vision = vision_config(shapes.encoder)
    adapter = shapes.adapter
    depth = shapes.encoder.layers
    layers = list(range(max(0, depth + 1 - adapter.layers), depth + 1))
    config = ParetokenConfig(
        text_config=text_config(llm.decoder),
        vision_config=vision,
        compressor=adapter.compressor,
        visual_tokens=V,
        grid_side=shapes.encoder.side,
        vision_width=shapes.encoder.width,
        feature_layers=layers,
        layers=layers,
        query_layer=layers[-1],
        projector_width=adapter.inner,
        whiten=adapter.whitened,
        image_token_id=IMAGE_TOKEN,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            model = ParetokenModel(config)
    finally:
        torch.set_default_dtype(before)
    nn.Module.to(model, device=device, dtype=dtype)
    model.train(False)
    return model


def set_tokens(model: ParetokenModel, V: int, device: torch.device, dtype: torch.dtype) -> None:
    """Set V of a model; only its compressor and projector are created anew.

    Raises:
        UserError: the compressor cannot make V tokens from the encoder's grid.
    """
    model.config.visual_tokens = V
    compressor, projector = new_adapter(model.config)
    for name, part in (("compressor", compressor), ("projector", projector)):
        if part is not None:
            part.to(device=device, dtype=dtype)
        setattr(model, name, part)


def text_config(shape: DecoderShape) -> PretrainedConfig:
    """Return a configuration of a decoder of these dimensions.

    Other families of decoders differ in norms and positions, whose time is negligible.
    """
    kind: Any = Qwen2Config  # `head_dim` is read, but is not a field of the class
    config: PretrainedConfig = kind(
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_width,
        intermediate_size=shape.intermediate,
        vocab_size=shape.vocabulary,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=32_768,
    )
    return config


def vision_config(shape: EncoderShape) -> PretrainedConfig:
    """Return a configuration of an encoder of these dimensions."""
    kind: Any = SiglipVisionConfig if shape.siglip else CLIPVisionConfig
    config: PretrainedConfig = kind(
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=_heads(shape.width),
        intermediate_size=shape.intermediate,
        image_size=shape.side * shape.patch,
        patch_size=shape.patch,
        num_channels=shape.channels,
    )
    return config


def _heads(width: int) -> int:
    """Return a number of heads that divides the width, with 64 channels each if possible."""
    return next(heads for heads in range(max(1, width // 64), 0, -1) if width % heads == 0)


def _encoder(model: ParetokenModel, batch: int, repeats: int, meter: Meter | None) -> Row:
    vision = model.config.vision_config
    encoder = model.vision_encoder
    assert vision is not None and encoder is not None  # noqa: PT018, S101  (`build` gave both)
    side = vision.image_size
    images = torch.zeros(batch, vision.num_channels, side, side, device=model.device, dtype=model.dtype)
    return _timed("encoder", lambda: encoder(images), repeats, meter)


def _answer(model: ParetokenModel, V: int, Q: int, batch: int, repeats: int, meter: Meter | None) -> Row:
    """Return the seconds of the prompts of a batch, and of each further token."""
    config, device = model.config, model.device
    ids = torch.ones(batch, V + max(Q, 0), dtype=torch.long, device=device)
    ids[:, :V] = IMAGE_TOKEN
    features = torch.zeros(
        batch,
        len(config.feature_layers),
        config.grid_side**2,
        config.vision_width,
        device=device,
        dtype=model.dtype,
    )

    def prompt() -> Any:
        return model(input_ids=ids, features=features, use_cache=True, logits_to_keep=1)

    prefill = _timed("prefill", prompt, repeats, meter)
    with torch.inference_mode():
        state = prompt()
    cache = state.past_key_values
    token = torch.ones(batch, 1, dtype=torch.long, device=device)

    def decode() -> None:
        for _ in range(DECODED):
            model(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache.crop(-DECODED)

    steps = _timed("decode", decode, repeats, meter)
    return prefill | {name: value / DECODED for name, value in steps.items()}


@torch.inference_mode()
def _timed(part: str, call: Callable[[], Tensor | None], repeats: int, meter: Meter | None) -> Row:
    """Return the median seconds of a call and, with a meter, the mean joules."""
    for _ in range(WARM_UP):
        call()
    seconds = []
    wait_for_gpu()
    before = meter.joules() if meter else 0.0
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        wait_for_gpu()
        seconds.append(time.perf_counter() - started)
    row = {f"{part}_s": median(seconds), f"{part}_se": error_of_median(seconds)}
    if meter:
        row[f"{part}_j"] = (meter.joules() - before) / repeats
    return row


def error_of_median(values: Sequence[float]) -> float:
    """Return the standard error of the median of normal values; 0 for a single value.

    The spread is the median absolute deviation, which is robust to a few slow runs.
    """
    middle = median(values)
    deviation = 1.4826 * median(abs(value - middle) for value in values)
    return OF_MEDIAN * deviation / float(np.sqrt(len(values)))
