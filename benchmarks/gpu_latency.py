"""Measure the time of a prefill and of a decoded token at batch size 1, for `gpu_steps`."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretoken.models.vlm import ParetokenModel
from random_models import Pictures, Scale, build, here

TEXT = 50  # Q, text tokens of a question


@torch.no_grad()
def latency(scale: Scale, llm: str, V: int) -> str:
    """Return the median times of a prefill (without encoder) and of a decoded token, batch size 1."""
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    model = build(scale, llm, V, here(), dtype)
    model.train(False)
    ids = torch.randint(1, scale.vocabulary, (1, V + TEXT), device=here())
    ids[0, 2 : 2 + V] = scale.vocabulary
    pixels = Pictures(scale.clip["image_size"]).gather(np.zeros(1, np.int64))
    assert model.vision_encoder is not None
    features = model.vision_encoder(pixels.to(here(), dtype))
    prefills, decodes = [], []
    for repeat in range(scale.repeats + 2):  # the first two warm up
        prefill, (output, first) = timed(lambda: _prefill(model, ids, features))
        decode, _ = timed(lambda o=output, f=first: _decode(model, o, f, scale.answer))
        if repeat >= 2:
            prefills.append(prefill)
            decodes.append(decode / scale.answer)
    return (
        f"prefill {statistics.median(prefills) * 1e3:.2f} ms, "
        f"decode {statistics.median(decodes) * 1e3:.2f} ms per token"
    )


def _prefill(model: ParetokenModel, ids: Tensor, features: Tensor) -> tuple[Any, Tensor]:
    output = model(input_ids=ids, features=features, use_cache=True, logits_to_keep=1)
    return output.past_key_values, output["logits"][:, -1:].argmax(-1)


def _decode(model: ParetokenModel, cache: Any, token: Tensor, count: int) -> Tensor:
    for _ in range(count):
        output = model(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache, token = output.past_key_values, output["logits"][:, -1:].argmax(-1)
    return token


def timed(call: Any) -> tuple[float, Any]:
    """Return the seconds and the result of a call, and wait for the GPU."""
    _wait()
    started = time.perf_counter()
    result = call()
    _wait()
    return time.perf_counter() - started, result


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
