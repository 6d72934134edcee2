"""Measuring the seconds per question, one question at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PretrainedConfig

from paretoken.evaluate.prediction import Predictor
from paretoken.evaluate.questions import Question
from paretoken.study.contract import TIMED_ANSWERS

#: Number of questions of the warm-up, and of the measurement.
WARM_UP, MEASURED = 5, TIMED_ANSWERS


def measure_latency(predictor: Predictor, questions: Sequence[Question]) -> dict[str, Any]:
    """Return the median and quartiles of the seconds per question at batch 1, after a warm-up.

    With stored features the encoder is timed separately, on one image at a time; ``includes_encoder``
    says whether ``median_s`` includes it, and ``encoder_median_s`` is null if it was not timed. Question
    embeddings are not cached between questions.
    """
    step = max(
        1, len(questions) // (WARM_UP + MEASURED)
    )  # spread over the file, to include all kinds of questions

    def ask(number: int) -> None:
        predictor.forget()
        predictor.answer([questions[number * step % len(questions)]])

    seconds = _timed(ask)
    encoder, vision = predictor.model.vision_encoder, predictor.model.config.vision_config
    online = predictor.visual is not None and predictor.visual.argument == "pixel_values"
    encoding = None
    if encoder is not None and vision is not None and not online:
        image = torch.zeros(image_shape(vision))
        image = image.to(predictor.model.device, predictor.model.dtype)
        encoding = float(np.median(_timed(lambda i: encoder(image))))
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return {
        "median_s": float(median),
        "quartiles_s": [float(low), float(high)],
        "n": len(seconds),
        "device": _device(predictor.model.device),
        "includes_encoder": online,
        "encoder_median_s": encoding,
    }


@torch.inference_mode()
def _timed(call: Callable[[int], object]) -> list[float]:
    """Return the seconds of each call after the warm-up."""
    seconds = []
    for number in range(WARM_UP + MEASURED):
        wait_for_gpu()
        started = time.perf_counter()
        call(number)
        wait_for_gpu()
        seconds.append(time.perf_counter() - started)
    return seconds[WARM_UP:]


def wait_for_gpu() -> None:
    """Wait until the GPU has finished: calls return when their work is queued."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def image_shape(vision: PretrainedConfig) -> tuple[int, int, int, int]:
    """Return the shape of the pixel values of one image."""
    return 1, getattr(vision, "num_channels", 3), vision.image_size, vision.image_size
