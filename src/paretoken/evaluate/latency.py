"""Seconds per question, one question at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from paretoken.evaluate.prediction import Predictor
from paretoken.evaluate.questions import Question

#: Questions answered before the clock counts, and while it does.
WARM_UP, MEASURED = 5, 50


def measure_latency(predictor: Predictor, questions: Sequence[Question]) -> dict[str, Any]:
    """Return the median and quartiles of seconds per question at batch 1, warm.

    From stored features the encoder's time is not included; the record says so.
    """
    seconds = []
    for number in range(WARM_UP + MEASURED):
        question = questions[number % len(questions)]
        started = time.perf_counter()
        predictor.answer([question])
        if number >= WARM_UP:
            seconds.append(time.perf_counter() - started)
    low, median, high = np.percentile(seconds, [25, 50, 75])
    includes_encoder = predictor.visual is not None and predictor.visual.argument == "pixel_values"
    return {
        "median_s": float(median),
        "quartiles_s": [float(low), float(high)],
        "n": len(seconds),
        "device": str(predictor.model.device),
        "includes_encoder": includes_encoder,
    }
